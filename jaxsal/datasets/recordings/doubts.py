"""What makes one doubt that recordings are what they are said to be, each in a sentence."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxsal.datasets.recordings.recording import Recording

_NO_SCENE = frozenset(("ir", "tv", "nir", "fir", "lwir", "mwir", "swir", "infrared", "thermal", "thermo", "t"))
_NO_SCENE |= {"vis", "visible", "rgb", "eo", "color", "colour", "wide", "w", "v", "cam", "camera", "video", "recording"}
_LEVELS = 4
"""Channels of a grey frame differ by no more; rounding of colour conversion."""


def are_grey(frames: UInt8[np.ndarray, "N H W 3"]) -> bool:
    """Whether the channels of all frames are alike."""
    return bool((frames.max(axis=-1) - frames.min(axis=-1)).max() <= _LEVELS)


def doubts_of_colour(frames: UInt8[np.ndarray, "N H W 3"], spectrum: str, path: Path | str) -> Iterator[str]:
    """What speaks against the spectrum of some frames, and against any sense in them."""
    grey = are_grey(frames)
    if spectrum == "TV" and grey:
        yield f"All frames taken of {path} are grey, though it is read as the visible recording (TV)."
    if spectrum == "IR" and not grey:
        yield f"Frames of {path} have colours, though it is read as infrared (IR)."
    low, high = np.percentile(frames, (1, 99))
    if high - low < 8:
        yield (
            f"Frames of {path} are nearly uniform, {low:g} to {high:g} of 255: "
            "`value_range` says which raw values are black and white, or 'auto'."
        )


def doubts_of_pair(visible: Recording, infrared: Recording) -> Iterator[str]:
    """What speaks against two recordings being of one scene."""
    known = (_duration(recording) for recording in (visible, infrared))
    durations = [duration for duration in known if duration is not None]
    if len(durations) == 2 and abs(durations[0] - durations[1]) > 0.1 * max(durations):
        yield (
            f"The recordings differ in duration: {visible.path} has {durations[0]:.1f} s, {infrared.path} "
            f"{durations[1]:.1f} s."
        )
    names = [scene_words(recording.path) for recording in (visible, infrared)]
    if all(names) and names[0] != names[1] and (_numbers(names[0]) != _numbers(names[1]) or not names[0] & names[1]):
        yield f"The names {visible.path.name} and {infrared.path.name} do not look like those of one scene."


def scene_words(path: Path) -> frozenset[str]:
    """The words and numbers of a recording's name that may name its scene; of its folder's where it has none."""
    for name in (path.stem, path.absolute().parent.name):
        words = frozenset(re.findall(r"[^\W\d_]+|\d+", name.casefold())) - _NO_SCENE
        if words:
            return words
    return frozenset()


def _numbers(words: frozenset[str]) -> set[int]:
    return {int(word) for word in words if word.isdecimal()}


def _duration(recording: Recording) -> float | None:
    return None if recording.times is None else float(recording.times[-1] - recording.times[0])
