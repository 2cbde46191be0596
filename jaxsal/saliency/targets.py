"""The targets of several clips inside a compiled program: one class each, every class, a contrast, a function."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.types import AnyArray, Contrast, LogitFn, OneTarget
from jaxsal.engine.class_scores import num_targets, predicted_class
from jaxsal.recipes import ScoreKind

Targets = Sequence[int | Int[AnyArray, ""] | Contrast | LogitFn] | LogitFn | Literal["all"] | None
"""The target of each clip of a batch, a function of the logits, "all" for every class, None for the predicted ones."""

Kind = Literal["given", "all"] | LogitFn | None
"""The part of `Targets` that a program is made for."""


def as_targets(target: OneTarget | Literal["all"] | None) -> Targets:
    """The targets of a batch of one clip: its class or contrast alone, or what holds for every clip as it is."""
    return [target] if isinstance(target, int | AnyArray | Contrast) else target


def labels_of(targets: Targets, size: int) -> tuple[Int[AnyArray, "B *two"], Kind]:
    """The classes of B clips by number, filling ones among them, two each for contrasts; and the kind of target."""
    if not isinstance(targets, Sequence) or isinstance(targets, str):
        return np.zeros(size, np.int32), targets
    if callable(targets[0]):  # of all clips of a batch
        return np.zeros(size, np.int32), targets[0]
    filled: list[Any] = [*targets, *[targets[-1]] * (size - len(targets))]
    if any(isinstance(target, jax.core.Tracer) for target in filled):
        return jnp.stack(filled).astype(jnp.int32), "given"
    return np.asarray(filled, np.int32), "given"


def explain_targets(
    explain: Callable[[OneTarget], Array],
    logits: Float[Array, " K"],
    label: Int[Array, "*two"],
    kind: Kind,
    scores: ScoreKind,
) -> Array:
    """What `explain` gives for the target of one clip; for "all" of every class, as a leading axis."""
    if kind == "all":
        return jax.vmap(explain)(jnp.arange(num_targets(logits.shape[0])))
    if callable(kind):
        return explain(kind)
    if kind == "given":
        return explain(Contrast(label[0], label[1]) if label.ndim else label)
    return explain(jnp.asarray(predicted_class(logits, scores)))
