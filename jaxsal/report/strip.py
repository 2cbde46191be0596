"""The timeline of a long recording in its report: values over time, and which of its windows has a player."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxsal.core.shown import rounded
from jaxsal.core.spread import spread
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.timeline import Timeline
from jaxsal.report.page import fill
from jaxsal.training.windows import Windows

MOST_PLACES = 400
"""Moments of a line; more would not be seen."""
_GUESSES = 3
_DIGITS = 5


def strip_values(windows: Windows, timelines: Sequence[Timeline]) -> dict[str, Any]:
    """What run.json keeps for the strip, of kinds that JSON has: windows and lines over seconds, else over frames.

    Both are of the visible recording where there are two, so that lines of both spectra lie below each other.
    """
    times, frames = windows.times[windows.main], windows.frames[windows.main]
    places = frames if times is None else times
    step = float(np.median(np.diff(places))) if len(places) > 1 else 1.0
    chosen = spread(len(places), MOST_PLACES)
    tracks = {
        timeline.spectrum: {
            kind: {name: rounded(values[chosen], _DIGITS) for name, values in lines.items()}
            for kind, lines in (("probabilities", timeline.probabilities), ("energies", timeline.energies))
        }
        for timeline in timelines
    }
    own = [
        dict(
            start=w.start,
            stop=w.stop,
            place=w.place,
            ends=rounded([places[w.span.start], places[w.span.stop - 1] + step], _DIGITS),
        )
        for w in windows.windows
    ]
    axis = "frame" if times is None else "seconds"
    return dict(axis=axis, places=rounded(places[chosen], _DIGITS), windows=own, tracks=tracks)


def fill_strip(values: Mapping[str, Any], explanations: Sequence[Explanation], shown: Sequence[int]) -> str:
    """The strip as HTML.

    Args:
      values: Of `strip_values`.
      explanations: Of all windows and spectra.
      shown: Numbers of the windows that have a player on the page, in its order.
    """
    by_place: dict[str, list[dict[str, Any]]] = {window["place"]: [] for window in values["windows"]}
    for e in explanations:
        guesses = [[e.class_name(k), round(share, 4)] for k, share in e.most_probable(_GUESSES)]
        by_place[place_of(e)].append(dict(spectrum=e.spectrum, guesses=guesses, target=e.target_name))
    scenes = {number: scene for scene, number in enumerate(shown, 1)}
    windows = [
        {name: window[name] for name in ("start", "stop", "ends")}
        | dict(scene=scenes.get(number), found=by_place[window["place"]])
        for number, window in enumerate(values["windows"])
    ]
    data = json.dumps(dict(values) | dict(windows=windows), allow_nan=False, separators=(",", ":"))
    return fill("strip.html", html=dict(data=data.replace("<", "\\u003c")), count=len(windows))


def place_of(explanation: Explanation) -> str:
    """Start and stop of the window, as its name has them."""
    return "-".join(explanation.name.split("-")[-3:-1])
