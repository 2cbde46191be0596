"""What is explained: a class, or a function of the logits, as a score; the one place that turns logits into scores.

Stored scores are logits, so that another kind of score, class or function is a read-out without a forward pass.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxsal.core.checks import Options
from jaxsal.core.types import AnyArray, Contrast, LogitFn, OneTarget, ScoreFn
from jaxsal.recipes import ScoreKind

Chosen = TypeVar("Chosen", bound=Options)


def class_scores(logits: Float[AnyArray, "*N K"], kind: ScoreKind) -> Float[AnyArray, "*N C"]:
    """The scores of all classes; C = K, but C = 2 for one logit z, which says no (class 0) or yes (class 1).

    "softmax": exp z_c / sum_j exp z_j. "sigmoid": 1 / (1 + exp -z_c), for classes that do not exclude each other.
    "logits": z_c. "given": what the function returned, which is a probability already. "probabilities": "softmax".
    One logit gives (1 - p, p) with p = 1 / (1 + exp -z), (-z, z) for "logits" and (1 - z, z) for "given".

    Args:
      logits: What the classifier returns; the result is NumPy's where this is.
      kind: What to make of it.
    """
    xp = np if isinstance(logits, np.ndarray) else jnp
    if logits.shape[-1] == 1:
        logits = xp.concatenate([1 - logits if kind == "given" else -logits, logits], axis=-1)
        kind = "sigmoid" if kind in ("probabilities", "softmax") else kind
    if kind in ("logits", "given"):
        return logits
    if kind == "sigmoid":
        return xp.exp(-xp.logaddexp(xp.zeros_like(logits), -logits))
    shifted = xp.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def target_scores(logits: Float[AnyArray, "N K"], target: OneTarget, kind: ScoreKind) -> Float[AnyArray, " N"]:
    """The score of a class, one for each row of logits; or what a function makes of each row, whatever the kind.

    Of class c against d: z_c - z_d for "logits", p_c / (p_c + p_d) for "given", else 1 / (1 + exp(z_d - z_c)): the
    probability of c where only c and d are possible.
    """
    if isinstance(target, Contrast):
        of_both = class_scores(logits, "given" if kind == "given" else "logits")
        numbers: Any = target  # no names by now, see `jaxsal.engine.targets`
        traced = any(isinstance(number, jax.core.Tracer) for number in numbers)
        own, other = ((jnp.asarray(of_both) if traced else of_both)[:, number] for number in numbers)
        if kind == "given":
            return own / (own + other)
        return own - other if kind == "logits" else class_scores((own - other)[:, None], "sigmoid")[:, 1]
    if callable(target):
        values = _rows_of(target)(logits)
        return np.asarray(values) if isinstance(logits, np.ndarray) else values
    scores = class_scores(logits, kind)
    return jnp.asarray(scores)[:, target] if isinstance(target, jax.core.Tracer) else scores[:, target]


@lru_cache(maxsize=64)
def _rows_of(function: LogitFn) -> Callable[[AnyArray], Array]:
    """A function of (K,) as one of (N, K), compiled once."""
    return jax.jit(jax.vmap(function))


def predicted_class(logits: Float[AnyArray, " K"], kind: ScoreKind) -> int | Int[Array, ""]:
    """The class with the highest score."""
    best = class_scores(logits, kind).argmax()
    return best if isinstance(best, jax.Array) else int(best)


def num_targets(num_logits: int) -> int:
    """C, the classes that K logits tell apart."""
    return max(num_logits, 2)


def class_names(classes: Sequence[str], num_logits: int) -> tuple[str, ...]:
    """One name for each of the C classes, or none; one logit with one name has its opposite too."""
    return (f"not {classes[0]}", *classes) if num_logits == len(classes) == 1 else tuple(classes)


def own_kind(score_fn: ScoreFn) -> ScoreKind:
    """What a classifier says that its scores are; "probabilities" where it says nothing."""
    return getattr(score_fn, "scores", "probabilities")


def of_classifier(options: Chosen, score_fn: ScoreFn) -> Chosen:
    """Options of a method or a measure, with "probabilities" replaced by what the classifier says its scores are."""
    kind = own_kind(score_fn)
    if getattr(options, "scores", kind) != "probabilities" or kind == "probabilities":
        return options
    return dataclasses.replace(options, scores=kind)


def shown_kind(kind: ScoreKind) -> ScoreKind:
    """The kind that predictions are shown in: probabilities where logits are explained."""
    return "probabilities" if kind == "logits" else kind


def score_unit(kind: ScoreKind) -> str:
    """What a score is, as a word."""
    return "logit" if kind == "logits" else "probability"
