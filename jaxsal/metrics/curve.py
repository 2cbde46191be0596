"""A curve: what it holds and shows, and how it is read out of the logits along it."""

import math
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxsal.core.extras import check_installed
from jaxsal.core.kinds import check_kinds
from jaxsal.core.shown import number_text
from jaxsal.core.types import AnyArray, Target
from jaxsal.drawing.plots import CurvePanel, draw_curves
from jaxsal.engine.class_scores import predicted_class, target_scores
from jaxsal.engine.inputs import value_range
from jaxsal.engine.masks import RankMasks
from jaxsal.engine.requests import Scores
from jaxsal.metrics.refine import interpolate
from jaxsal.recipes import CurveOptions

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure


class Curve(NamedTuple):
    """A deletion or insertion curve.

    Attributes:
      fractions: Share of the clip that is changed at each step, from 0 to 1, (S,).
      scores: The target's score, (S,); a probability unless `jaxsal.deletion` was asked for another kind.
      auc: Area under the scores by the trapezoid rule, in [0, 1] for probabilities.
      num_scored: How many of the scores the classifier gave where some are interpolated; None where all are its own.
      floor: The target's score for the fully replaced clip, where deletion ends and insertion starts. A high one
        says that the baseline leaves the answer in place. NaN where a curve was made without it.
    """

    fractions: Float[AnyArray, " S"]
    scores: Float[AnyArray, " S"]
    auc: Float[AnyArray, ""]
    num_scored: int | Int[AnyArray, ""] | None = None
    floor: Float[AnyArray, ""] | float = math.nan

    def __repr__(self) -> str:
        ends = f"{number_text(self.scores[0])} to {number_text(self.scores[-1])}"
        return f"Curve(area {number_text(self.auc)}, {len(self.scores)} steps, {self.unit} {ends})"

    @property
    def unit(self) -> str:
        """What the scores are, as a word: a "probability" where all are in [0, 1], else a "score"."""
        low, high = value_range(self.scores)
        return "probability" if not (low < 0 or high > 1) else "score"

    @check_kinds
    def plot(self, *, title: str = "", label: str = "curve") -> "Figure":
        """Draws the curve, with its area in the legend and its floor as a line.

        Args:
          title: Above the curve, such as "deletion".
          label: Of the line, such as the method whose map was measured.

        Returns:
          The figure, which a notebook shows; `.savefig(path)` writes it.

        Raises:
          MissingPackageError: If Matplotlib is not installed.
        """
        floor = None if np.isnan(float(self.floor)) else float(self.floor)
        return draw_curves(
            {title: CurvePanel(self.fractions, {label: np.asarray(self.scores)[None]}, floor, self.unit)}
        )

    def to_xarray(self) -> "xarray.DataArray":
        """The scores (step), with the coordinate `fraction`, the share of the clip that is changed.

        Area and floor are in `attrs`.

        Raises:
          MissingPackageError: If xarray is not installed.
        """
        check_installed("xarray")
        import xarray

        fractions = ("step", np.asarray(self.fractions))
        coordinates = {"step": np.arange(len(self.scores)), "fraction": fractions}
        about = {"auc": float(self.auc), "floor": float(self.floor)}
        return xarray.DataArray(np.asarray(self.scores), coordinates, ("step",), name=self.unit, attrs=about)


def read_curve(scores: Scores, target: Target, options: CurveOptions) -> Curve:
    """The curve of a class, of any, or of a function of the logits along it; of the predicted class if None."""
    family = scores.family
    assert isinstance(family, RankMasks)
    counts, values = np.asarray(family.counts), step_scores(scores, target, options)
    fractions, num_scored = counts / counts[-1], None
    places = fractions if options.area == "fractions" else np.linspace(0, 1, len(counts))
    if options.approximation == "refine":
        num_scored = len(scores.ids)
        values = interpolate(scores.ids, np.asarray(values), places)
    floor = values[0 if family.keep else -1]
    area = (np.diff(places).astype(np.float32) * (values[1:] + values[:-1])).sum() / 2  # by the trapezoid rule
    return Curve(fractions.astype(np.float32), values, area, num_scored, floor)


def step_scores(scores: Scores, target: Target, options: CurveOptions) -> Float[AnyArray, " n"]:
    """The score of a class, or of a function of the logits, at the scored steps; of the predicted class if None."""
    assert not isinstance(target, str)
    label = predicted_class(scores.clip_logits, options.scores) if target is None else target
    traced = any(isinstance(value, jax.core.Tracer) for value in (scores.logits, label))
    xp = jnp if traced else np
    values = target_scores(xp.asarray(scores.logits), label, options.scores)
    return xp.where(xp.isnan(values), np.float32(0), values) if options.nan_as_zero else values
