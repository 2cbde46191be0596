"""Flax modules as functions of (variables, one clip), and a look at what their layers give.

A layer is looked at where it is called, so a module need not be written as features and a head; `jaxsal.models.places`
makes both of it. What flags and outputs modules have in common is understood here.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
from flax.linen.module import InterceptorContext
from jaxtyping import Array, PyTree

_INFERENCE = dict(train=False, training=False, is_training=False, deterministic=True, use_running_average=True)
"""By name of a module's argument, its value where nothing is trained."""
Path = tuple[str, ...]
"""Names of modules within each other."""
Watch = Callable[[Path, Any], Any]
"""Called with the path of a layer and what it gives; what it returns takes the place of that."""


@runtime_checkable
class Network(Protocol):
    """A whole module as a function of (variables, clip), equal for equal modules, whose layers can be watched."""

    @property
    def model(self) -> object:
        """The module, or its class."""

    def __call__(self, variables: PyTree, inputs: PyTree) -> PyTree:
        """Logits (K,) of one clip."""

    def watched(self, watch: Watch, variables: PyTree, clip: PyTree) -> Array:
        """The logits, while `watch` sees the layers."""


@runtime_checkable
class Model(Protocol):
    """A Flax module."""

    @property
    def apply(self) -> Callable[..., Any]:
        """(variables, inputs, method=name) -> what the method of that name gives."""


@dataclass(frozen=True)
class ModelMethod:
    """One method of a Flax module as a function of (variables, input), equal for equal modules."""

    model: Model
    method: str

    def __post_init__(self):
        object.__setattr__(self, "model", hashable(self.model))

    def __call__(self, variables: PyTree, inputs: PyTree) -> PyTree:
        """Of one clip, or of the activations of one."""
        return _apply(self, variables, inputs)

    def watched(self, watch: Watch, variables: PyTree, clip: PyTree) -> Array:
        """The logits of a clip, while `watch` sees what each module within this one gives."""

        def intercept(
            call: Callable[..., PyTree],
            arguments: tuple[PyTree, ...],
            keywords: Mapping[str, PyTree],
            context: InterceptorContext,
        ) -> PyTree:
            outputs = call(*arguments, **keywords)
            within = context.method_name == "__call__" and context.module.path
            return watch(context.module.path, outputs) if within else outputs

        with nn.intercept_methods(intercept):
            return _call(self, variables, clip)

    @property
    def flags(self) -> dict[str, bool]:
        """What tells the whole module that nothing is trained; methods that jaxsal names take no such argument."""
        if self.method != "__call__":
            return {}
        parameters = inspect.signature(type(self.model).__call__).parameters
        return {name: value for name, value in _INFERENCE.items() if name in parameters}


def hashable(value: object) -> object:
    """A module whose fields are hashable, as compiled programs need it: lists, as of `nn.Sequential`, become tuples."""
    try:
        hash(value)
    except TypeError:
        if isinstance(value, list | tuple):
            return tuple(map(hashable, value))
        if isinstance(value, nn.Module):
            names = {field.name for field in dataclasses.fields(value)} - {"parent", "name"}
            changes: dict[str, Any] = {name: hashable(getattr(value, name)) for name in names}
            return value.clone(**changes)
    return value


@partial(jax.jit, static_argnums=(0,))
def _apply(bound: ModelMethod, variables: PyTree, inputs: PyTree) -> PyTree:
    """Compiled so that a network is traced once for all programs that it is a part of."""
    return _call(bound, variables, inputs)


def _call(bound: ModelMethod, variables: PyTree, inputs: PyTree) -> PyTree:
    batch = jax.tree.map(lambda part: part[None], inputs)
    outputs = bound.model.apply(variables, batch, method=bound.method, **bound.flags)
    if bound.method == "__call__":
        return logits_of(outputs)[0]
    return jax.tree.map(lambda part: part[0], outputs)


def logits_of(outputs: PyTree) -> Array:
    """The logits among what a network returns: the array itself, `.logits`, or ["logits"].

    Raises:
      TypeError: If it returns anything else.
    """
    found = outputs.get("logits", outputs) if isinstance(outputs, Mapping) else getattr(outputs, "logits", outputs)
    if hasattr(found, "ndim"):
        return found
    raise TypeError(f"`model` must return logits, an array, .logits or ['logits']; got {described(outputs)}.")


def described(outputs: object) -> str:
    """What a function returned, where that is no array."""
    if isinstance(outputs, Mapping):
        return f"a {type(outputs).__name__} of {', '.join(map(repr, outputs))}"
    if isinstance(outputs, tuple | list):
        shapes = ", ".join(str(getattr(part, "shape", type(part).__name__)) for part in outputs)
        return f"a {type(outputs).__name__} of {len(outputs)}: {shapes} (return the logits alone)"
    return type(outputs).__name__
