"""How far a method's map is better than a control on the same clips, and which such differences are real."""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

from jaxsal.core.types import AnyArray
from jaxsal.metrics.intervals import Factor, mean_interval
from jaxsal.metrics.statistics import holm, paired_test

SIGNIFICANT = 0.05

Place = TypeVar("Place", bound=Hashable)


class Contrast(NamedTuple):
    """A method's mean minus a control's on the same clips.

    Attributes:
      difference: In the unit of the measure.
      low: Lower end of its 95 % interval; None for a single actor.
      high: Its upper end.
      p_value: Of a difference of 0, see `jaxsal.metrics.statistics.paired_test`.
      p_holm: The same after Holm's correction over all cells of the table against this control.
    """

    difference: float
    low: float | None
    high: float | None
    p_value: float
    p_holm: float

    def better(self, good_sign: int) -> bool:
        """Whether the difference has the good sign, 1 or -1, and is real after Holm's correction."""
        return self.difference * good_sign > 0 and self.p_holm <= SIGNIFICANT


def contrast(
    values: Float[AnyArray, " n"], control: Float[AnyArray, " n"], actors: Factor, *, seed: int = 0
) -> Contrast | None:
    """One method against one control, not corrected yet; None where there are not two clips.

    Args:
      values: Of the method, one per clip; those that are no numbers are left out.
      control: Of the control on the same clips.
      actors: Who is seen in each clip.
      seed: Of the bootstrap and the test.
    """
    differences = np.asarray(values, np.float64) - np.asarray(control, np.float64)
    known = np.isfinite(differences)
    if known.sum() < 2:
        return None
    differences, actors = differences[known], [actor for actor, use in zip(actors, known, strict=True) if use]
    mean, p_value = paired_test(differences, np.zeros_like(differences), clusters=actors, seed=seed)
    low, high = mean_interval(differences, actors, seed=seed) or (None, None)
    return Contrast(mean, low, high, p_value, p_value)


def corrected(contrasts: Mapping[Place, Mapping[str, Contrast]]) -> dict[Place, dict[str, Contrast]]:
    """Contrasts with Holm's correction over all places, for each control by itself.

    Controls are not corrected for their number: what is said is that a method beats every control, which is false where
    it fails against a single one (intersection-union test), so that further controls never make it easier.

    Args:
      contrasts: By place of the table and by control.

    References:
      Berger, "Multiparameter Hypothesis Testing and Acceptance Sampling", Technometrics 24(4), 1982
    """
    found: dict[Place, dict[str, Contrast]] = {place: dict(own) for place, own in contrasts.items()}
    for control in dict.fromkeys(name for own in contrasts.values() for name in own):
        places = [place for place, own in contrasts.items() if control in own]
        raised = holm([contrasts[place][control].p_value for place in places])
        for place, p_holm in zip(places, raised, strict=True):
            found[place][control] = contrasts[place][control]._replace(p_holm=p_holm)
    return found
