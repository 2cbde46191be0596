"""Flax modules as functions of (variables, one clip): a method, the whole, a layer, and what comes after a layer.

A layer is looked at where it is called, so a module need not be written as features and a head. What flags and outputs
modules have in common is understood here.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
from jaxtyping import Array, PyTree

from jaxsal.core.checks import hint
from jaxsal.models.tokens import Positions

_INFERENCE = dict(train=False, training=False, is_training=False, deterministic=True, use_running_average=True)
"""By name of a module's argument, its value where nothing is trained."""
Path = tuple[str, ...]


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

    @property
    def flags(self) -> dict[str, bool]:
        """What tells the whole module that nothing is trained; methods that jaxsal names take no such argument."""
        if self.method != "__call__":
            return {}
        parameters = inspect.signature(type(self.model).__call__).parameters
        return {name: value for name, value in _INFERENCE.items() if name in parameters}


def hashable(value: Any) -> Any:
    """A module whose fields are hashable, as compiled programs need it: lists, as of `nn.Sequential`, become tuples."""
    try:
        hash(value)
    except TypeError:
        if isinstance(value, list | tuple):
            return tuple(map(hashable, value))
        if isinstance(value, nn.Module):
            names = {field.name for field in dataclasses.fields(value)} - {"parent", "name"}
            return value.clone(**{name: hashable(getattr(value, name)) for name in names})
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


def logits_of(outputs: Any) -> Array:
    """The logits among what a network returns: the array itself, `.logits`, or ["logits"].

    Raises:
      TypeError: If it returns anything else.
    """
    found = outputs.get("logits", outputs) if isinstance(outputs, Mapping) else getattr(outputs, "logits", outputs)
    if hasattr(found, "ndim"):
        return found
    raise TypeError(f"`model` must return logits, an array, .logits or ['logits']; got {described(outputs)}.")


def described(outputs: Any) -> str:
    """What a function returned, where that is no array."""
    if isinstance(outputs, Mapping):
        return f"a {type(outputs).__name__} of {', '.join(map(repr, outputs))}"
    if isinstance(outputs, tuple | list):
        shapes = ", ".join(str(getattr(part, "shape", type(part).__name__)) for part in outputs)
        return f"a {type(outputs).__name__} of {len(outputs)}: {shapes} (return the logits alone)"
    return type(outputs).__name__


def as_path(layer: str | tuple[str, ...]) -> Path:
    """The names of modules within each other, of "layer3/conv1" or "layer3.conv1"."""
    return tuple(layer.replace("/", ".").split(".")) if isinstance(layer, str) else tuple(layer)


@dataclass(frozen=True)
class LayerOutput:
    """The activations (t, h, w, d) that a layer of a Flax module gives for one clip."""

    network: ModelMethod
    path: Path
    positions: Positions

    def __call__(self, variables: PyTree, clip: PyTree) -> Array:
        """One pass; what comes after the layer is not needed, so it is not computed."""
        return _layer_output(self, variables, clip)


@dataclass(frozen=True)
class AfterLayer:
    """Logits of one clip with other activations in the place of a layer's."""

    network: ModelMethod
    path: Path
    positions: Positions

    def __call__(self, variables: PyTree, activations: Array, clip: PyTree) -> Array:
        """One pass; what comes before the layer and goes through it alone is not computed."""
        return _after_layer(self, variables, activations, clip)


@partial(jax.jit, static_argnums=(0,))
def _layer_output(layer: LayerOutput, variables: PyTree, clip: PyTree) -> Array:
    found: list[Array] = []

    def keep(outputs: Any) -> Any:
        found.append(layer.positions.activations(outputs))
        return outputs

    _intercepted(layer.network, layer.path, keep, variables, clip)
    return found[0]


@partial(jax.jit, static_argnums=(0,))
def _after_layer(layer: AfterLayer, variables: PyTree, activations: Array, clip: PyTree) -> Array:
    def replace(outputs: Any) -> Any:
        return layer.positions.outputs(activations, outputs)

    return _intercepted(layer.network, layer.path, replace, variables, clip)


def _intercepted(
    network: ModelMethod, path: Path, change: Callable[[Any], Any], variables: PyTree, clip: PyTree
) -> Array:
    """Logits of a clip, after a change of what one layer gives.

    Raises:
      ValueError: If there is no such layer, or it is called several times.
    """
    names: list[str] = []

    def intercept(call: Any, arguments: Any, keywords: Any, context: Any) -> Any:
        outputs = call(*arguments, **keywords)
        if context.method_name != "__call__":
            return outputs
        names.append(".".join(context.module.path))
        return change(outputs) if context.module.path == path else outputs

    with nn.intercept_methods(intercept):
        logits = _call(network, variables, clip)
    asked, known = ".".join(path), [name for name in dict.fromkeys(names) if name]
    if names.count(asked) == 0:
        raise ValueError(f"`layer` must be one of {known}; got {asked!r}.{hint(asked, known)}")
    if names.count(asked) > 1:
        raise ValueError(f"`layer` must be called once; got {asked!r}, which is called {names.count(asked)} times.")
    return logits


def layer_shapes(network: ModelMethod, variables: PyTree, clip: PyTree) -> dict[str, tuple[int, ...]]:
    """The shape of what each layer gives for a clip, by path, in the order in which layers end; nothing is computed."""
    found: dict[str, tuple[int, ...]] = {}

    def intercept(call: Any, arguments: Any, keywords: Any, context: Any) -> Any:
        outputs = call(*arguments, **keywords)
        if context.method_name == "__call__" and hasattr(outputs, "shape") and context.module.path:
            found[".".join(context.module.path)] = tuple(outputs.shape)
        return outputs

    with nn.intercept_methods(intercept):
        jax.eval_shape(partial(_call, network), variables, clip)
    return found
