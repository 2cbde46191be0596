"""Tokens as activations: (n, d) of a transformer as (t, h, w, d), and back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array, PyTree

from jaxsal.core.checks import check_integer, check_shape


@dataclass(frozen=True)
class Positions:
    """Where the outputs of a layer lie in the clip.

    Attributes:
      grid: (t, h, w) of tokens; None for outputs (1, t, h, w, d), or (t, h, w, d) of a layer that takes single frames.
      skip: Tokens before those of the grid, such as one of the class.
    """

    grid: tuple[int, int, int] | None = None
    skip: int = 0

    def __post_init__(self):
        if self.grid is not None:
            check_shape("grid", self.grid)
            object.__setattr__(self, "grid", tuple(self.grid))
        if check_integer("skip", self.skip) < 0 or (self.skip and self.grid is None):
            raise ValueError(f"`skip` must be at least 0, and 0 without `grid`; got {self.skip}.")

    def activations(self, outputs: PyTree) -> Array:
        """(t, h, w, d) of a layer's outputs.

        Raises:
          ValueError: If they have another shape.
        """
        shape = tuple(getattr(outputs, "shape", ()))
        if self.grid is not None:
            count = self.skip + self.grid[0] * self.grid[1] * self.grid[2]
            tokens = outputs[0] if len(shape) == 3 and shape[0] == 1 else outputs
            if tokens.ndim != 2 or tokens.shape[0] != count:
                raise ValueError(f"`grid` must have {self.grid} and {self.skip} more tokens, {count}; got {shape}.")
            return tokens[self.skip :].reshape(*self.grid, -1)
        if len(shape) == 5 and shape[0] == 1:
            return outputs[0]
        if len(shape) == 4:
            return outputs
        more = "; `grid=(t, h, w)` says how tokens lie" if len(shape) in (2, 3) else ""
        found = shape if shape else type(outputs).__name__
        raise ValueError(f"`layer` must give activations (1, t, h, w, d){more}; got {found}.")

    def outputs(self, activations: Array, outputs: Array) -> Array:
        """A layer's outputs with other activations in their place."""
        if self.grid is None:
            return activations.reshape(outputs.shape).astype(outputs.dtype)
        tokens = activations.reshape(-1, activations.shape[-1]).astype(outputs.dtype)
        return outputs.at[..., self.skip :, :].set(tokens)


@dataclass(frozen=True)
class TokenFeatures:
    """Activations (t, h, w, d) from a function that gives tokens."""

    features: Callable[[Any, Any], Array]
    positions: Positions

    def __call__(self, params: PyTree, clip: PyTree) -> Array:
        """Without the tokens before the grid."""
        return self.positions.activations(self.features(params, clip))


@dataclass(frozen=True)
class TokenHead:
    """Logits from activations (t, h, w, d), by a head of tokens; those before the grid are the clip's own."""

    features: Callable[[Any, Any], Array]
    head: Callable[[Any, Array], Array]
    positions: Positions

    def __call__(self, params: PyTree, activations: Array, clip: PyTree) -> Array:
        """Of a clip with other activations."""
        return self.head(params, self.positions.outputs(activations, self.features(params, clip)))


@dataclass(frozen=True)
class TokenNetwork:
    """Logits of a clip, from a function that gives tokens and a head of them."""

    features: Callable[[Any, Any], Array]
    head: Callable[[Any, Array], Array]

    def __call__(self, params: PyTree, clip: PyTree) -> Array:
        """All tokens enter the head."""
        return self.head(params, self.features(params, clip))
