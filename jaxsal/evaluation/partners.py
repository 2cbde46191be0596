"""Which clip's map is the control `other` of a clip: one of the same spectrum and another class, of the same run."""

from collections.abc import Sequence

import numpy as np

from jaxsal.evaluation.cells import Case


def partners_of(cases: Sequence[Case], seed: int) -> dict[str, Case]:
    """By clip, the first of another class after it in the order of the run; the search starts `seed` clips further on.

    The order is a ring. Clips of one class alone have no partners, nor has a spectrum where a label is not known.

    Args:
      cases: The clips of the run.
      seed: Of the run.
    """
    found: dict[str, Case] = {}
    for spectrum in dict.fromkeys(case.spectrum for case in cases):
        alike = [case for case in cases if case.spectrum == spectrum]
        labels = np.array([case.label for case in alike])
        changes = np.flatnonzero(labels != np.roll(labels, 1))  # where another class begins
        if labels.min() < 0 or not len(changes):
            continue
        places = (np.arange(len(alike)) + 1 + seed) % len(alike)
        after = changes[np.searchsorted(changes, places, side="right") % len(changes)]
        places = np.where(labels[places] == labels, after, places)
        found |= {case.name: alike[place] for case, place in zip(alike, places.tolist(), strict=True)}
    return found


def why_no_partner(cases: Sequence[Case]) -> str:
    """Why clips have no partner, as a sentence; empty if all have one."""
    lacking = [case for case in cases if case.name not in partners_of(cases, 0)]
    if not lacking:
        return ""
    spectrum = lacking[0].spectrum
    known = all(case.label >= 0 for case in lacking if case.spectrum == spectrum)
    reason = "the run has no clip of another class" if known else "the true class of a clip is not known"
    return f"The control `other` is left out for {spectrum} clips: {reason}."
