"""The floor of a run's curves: whether the baselines leave the answer in the fully replaced clip."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxsal.metrics.summary import FLOORS, ClipResult

HIGH = 0.3
"""Mean floor above which a baseline leaves the answer in place."""
BETTER = ("time_mean", "reverse")
"""Baselines that take the motion out, or turn it round, and leave the scene."""


def mean_floors(results: Sequence[ClipResult]) -> dict[str, float]:
    """By measure, the target's mean probability for the fully replaced clips; NaN without results."""
    values = {measure: [getattr(result, field) for result in results] for measure, field in FLOORS.items()}
    return {measure: float(np.mean(floors)) if floors else float("nan") for measure, floors in values.items()}


def floor_note(floors: Mapping[str, float], baselines: Mapping[str, object]) -> str:
    """One line that names measures with a high floor and better baselines; empty if no floor is high.

    Args:
      floors: By measure, the mean floor.
      baselines: By measure, the baseline: its name, or an array.
    """
    high = {measure: floor for measure, floor in floors.items() if floor > HIGH}
    if not high:
        return ""
    names = {m: name if isinstance(name := baselines[m], str) else "an array" for m in high}
    found = ", ".join(f"{floor:.2f} of {measure} (baseline {names[measure]})" for measure, floor in high.items())
    better = " or ".join(name for name in BETTER if name not in names.values()) or "a baseline of your own"
    return f"The baseline leaves the answer in place: mean floor {found}, above {HIGH}. Better: {better}."
