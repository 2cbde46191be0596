"""Flax NNX modules as functions of (variables, one clip), whose layers can be watched as those of Linen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
from jaxtyping import Array, PyTree

from jaxsal.models.modules import Path, Watch, logits_of

_INFERENCE = dict(deterministic=True, use_running_average=True)
"""By name of a module's attribute, its value where nothing is trained."""
_VARIABLES = ("params", "batch_stats", "others")


def is_nnx(model: object) -> bool:
    """Whether something is a module of Flax NNX, which is not imported for it."""
    return any(kind.__module__.startswith("flax.nnx") for kind in type(model).__mro__)


def check_inference(model: object) -> None:
    """Raises ValueError if a Flax NNX module is in training mode, where dropout or batch statistics change scores."""
    for path, part in _modules(model).items() if is_nnx(model) else ():
        for name, inference in _INFERENCE.items():
            if getattr(part, name, inference) is False:
                place = ".".join(path) or "the module"
                raise ValueError(f"`model` must be in evaluation mode, model.eval(); got {place} with {name}=False.")


@dataclass(frozen=True)
class NnxMethod:
    """One method of a Flax NNX module as a function of (variables, input), equal for equal modules.

    Attributes:
      graph: The module without its arrays.
      method: Name of the method, of batches.
      unused: State of random generators, which evaluation does not read.
    """

    graph: PyTree
    method: str
    unused: PyTree = field(default=None, compare=False, repr=False)

    @property
    def model(self) -> type:
        """The class of the module."""
        return self.graph.nodes[0].type

    def __call__(self, variables: PyTree, inputs: PyTree) -> PyTree:
        """Of one clip, or of the activations of one."""
        return _apply(self, variables, inputs)

    def watched(self, watch: Watch, variables: PyTree, clip: PyTree) -> Array:
        """The logits of a clip, while `watch` sees what each module within this one gives."""
        return _call(self, variables, clip, watch)


def taken_apart(model: PyTree) -> tuple[dict[str, PyTree], Callable[[str], NnxMethod]]:
    """The variables of a module, by kind as those of other Flax modules, and (method name) -> `NnxMethod`."""
    from flax import nnx

    kinds = (nnx.RngState, nnx.Param, nnx.BatchStat, ...)
    graph, unused, *states = nnx.split(model, *kinds)
    variables: dict[str, PyTree] = dict(zip(_VARIABLES, states, strict=True))
    return variables, lambda method: NnxMethod(graph, method, unused)


@partial(jax.jit, static_argnums=(0,))
def _apply(bound: NnxMethod, variables: PyTree, inputs: PyTree) -> PyTree:
    return _call(bound, variables, inputs)


def _call(bound: NnxMethod, variables: PyTree, inputs: PyTree, watch: Watch | None = None) -> PyTree:
    from flax import nnx

    model = nnx.merge(bound.graph, bound.unused, *map(variables.__getitem__, _VARIABLES))
    batch = jax.tree.map(lambda part: part[None], inputs)
    if watch is None:
        outputs = getattr(model, bound.method)(batch)
    else:
        with _watching(model, watch):
            outputs = model(batch)
    if bound.method == "__call__":
        return logits_of(outputs)[0]
    return jax.tree.map(lambda part: part[0], outputs)


def _modules(model: object) -> dict[Path, Any]:
    """The modules within a module, and itself, by path."""
    from flax import nnx

    found = nnx.iter_modules(model) if isinstance(model, nnx.Module) else ()
    return {tuple(map(str, path)): module for path, module in found}


@contextmanager
def _watching(model: object, watch: Watch) -> Iterator[None]:
    """Calls of the modules within a module go by `watch`; NNX has nothing like `flax.linen.intercept_methods`."""
    paths = {id(module): path for path, module in _modules(model).items() if path}
    kinds = {type(module) for module in _modules(model).values() if callable(module)}
    calls = {kind: kind.__call__ for kind in kinds}
    own = {kind for kind in kinds if "__call__" in vars(kind)}

    def watched(kind: type) -> Callable[..., PyTree]:
        def call(module: object, *arguments: PyTree, **keywords: PyTree) -> PyTree:
            outputs = calls[kind](module, *arguments, **keywords)
            within = type(module) is kind and paths.get(id(module))
            return watch(within, outputs) if within else outputs

        return call

    for kind in kinds:
        kind.__call__ = watched(kind)
    try:
        yield
    finally:
        for kind in kinds:
            if kind in own:
                kind.__call__ = calls[kind]
            else:
                del kind.__call__
