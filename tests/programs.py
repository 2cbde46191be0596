"""The programs that the package would compile, found out in a dry run; for a process of its own."""

import functools
import re

import jax
import numpy as np

PLATFORMS = ("cuda", "tpu")
FUNCTIONS, PROGRAMS = {}, []
_jit = jax.jit


def record():
    """From now on compiled functions of the package are traced, never run; call it before the package is imported."""
    jax.jit = recording_jit


def recording_jit(function=None, **options):
    if function is None:
        return functools.partial(recording_jit, **options)
    if not (getattr(function, "__module__", None) or "").startswith("jaxsal"):
        return _jit(function, **options)
    return Recorded(function, options)


class Recorded:
    """A compiled function of the package: what it is traced for is a program, and its results are zeros."""

    depth = 0  # of traces in traces; a program within another is lowered with that

    def __init__(self, function, options):
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.function, self.was_traced = function, False
        self.compiled = _jit(functools.wraps(function)(functools.partial(self.trace_of)), **options)
        FUNCTIONS[self.name] = self

    def trace_of(self, *args, **kwargs):
        self.was_traced = True
        if Recorded.depth == 0:
            PROGRAMS.append((self, *jax.tree.map(described, (args, kwargs))))
        Recorded.depth += 1
        try:
            return self.function(*args, **kwargs)
        finally:
            Recorded.depth -= 1

    def __call__(self, *args, **kwargs):
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((args, kwargs))):
            return self.compiled(*args, **kwargs)
        shapes = self.compiled.eval_shape(*args, **kwargs)
        return jax.tree.map(lambda leaf: jax.device_put(np.zeros(leaf.shape, leaf.dtype)), shapes)

    def __getattr__(self, name):
        return getattr(self.compiled, name)


def described(leaf):
    """The shape and kind of a traced array; anything else is static."""
    if not isinstance(leaf, jax.core.Tracer):
        return leaf
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, weak_type=leaf.aval.weak_type)


def lowered():
    """Of each program: its name, an error or None, and whether it calls the host; and of functions never run."""
    found = [(name, "never run", False) for name, function in FUNCTIONS.items() if not function.was_traced]
    for function, args, kwargs in tuple(PROGRAMS):
        try:
            exported = jax.export.export(function.compiled, platforms=PLATFORMS)(*args, **kwargs)
        except Exception as error:
            found.append((function.name, repr(error)[:2000], False))
            continue
        calls = re.search(r"callback|infeed|outfeed|stablehlo\.(send|recv)", exported.mlir_module())
        found.append((function.name, None, calls is not None))
    return found
