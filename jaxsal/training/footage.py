"""The recordings of a scene as the clips that a network takes: one spectrum, or two that are aligned by time."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsal.datasets.recordings.doubts import are_grey, doubts_of_colour, doubts_of_pair
from jaxsal.datasets.recordings.excerpt import Excerpt
from jaxsal.datasets.recordings.moments import Moment
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.datasets.recordings.recording import Reading, Recording
from jaxsal.datasets.records import TRAINING_SPECTRA
from jaxsal.training.networks import NetworkSpec


class Footage(NamedTuple):
    """What a network sees of a scene.

    Attributes:
      excerpts: By spectrum, the frames taken.
      notes: What was taken and decided, and what is doubtful, in sentences.
    """

    excerpts: Mapping[str, Excerpt]
    notes: tuple[str, ...]


def find_footage(
    spec: NetworkSpec,
    paths: Mapping[str, Path],
    readings: Mapping[str, Reading],
    *,
    start: Moment = 0,
    stop: Moment | None = None,
    infrared_offset: float = 0.0,
) -> Footage:
    """Chooses the frames of one recording, or of two of one scene at the same moments.

    Args:
      spec: The network.
      paths: By spectrum, "TV" and "IR", the recordings.
      readings: By spectrum, how they are read.
      start: First frame to use, or seconds such as "12.5s"; of the visible recording where there are two.
      stop: Frame or seconds before which to stop; None for the end.
      infrared_offset: Seconds by which the infrared recording began after the visible one.

    Raises:
      ValueError: If a recording cannot be read, both are the same, or they share no moment.
    """
    recordings = open_recordings(paths, readings)
    notes = list(doubts_of_network(spec, paths))
    if len(recordings) == 1:
        excerpts = {s: spec.excerpt(recording, readings[s], start, stop) for s, recording in recordings.items()}
    else:
        excerpts = spec.scene_excerpts(recordings, readings, start, stop, infrared_offset=infrared_offset)
        notes.append(pairing_note(excerpts, infrared_offset))
        notes += doubts_of_pair(recordings["TV"], recordings["IR"])
    notes += [_taken(s, excerpt, recordings[s]) for s, excerpt in excerpts.items()]
    return Footage(excerpts, (*notes, *doubts_of(excerpts)))


def open_recordings(paths: Mapping[str, Path], readings: Mapping[str, Reading]) -> dict[str, Recording]:
    """The recordings by spectrum. Raises ValueError if one cannot be read, or both are the same."""
    recordings = {spectrum: open_recording(path, readings[spectrum]) for spectrum, path in paths.items()}
    if len(recordings) > 1:
        _check_two(paths, readings)
    return recordings


def doubts_of_network(spec: NetworkSpec, paths: Mapping[str, Path]) -> Iterator[str]:
    """A sentence on each spectrum that a network was not trained on."""
    for spectrum in paths:
        if not spec.channels and spectrum not in TRAINING_SPECTRA[spec.spectra]:
            yield f"The network was trained on {spec.spectra}, not on {spectrum}."


def _check_two(paths: Mapping[str, Path], readings: Mapping[str, Reading]) -> None:
    """Raises ValueError if one recording is both the visible and the infrared one."""
    visible, infrared = readings["TV"], readings["IR"]
    same = visible.pattern == infrared.pattern and visible.stream == infrared.stream
    if same and paths["TV"].exists() and paths["IR"].exists() and paths["TV"].samefile(paths["IR"]):
        raise ValueError(
            f"`infrared` must be another recording than the visible one; got {paths['IR']} for both: "
            "give two values to `stream` or `pattern` where one file or folder holds both."
        )


def pairing_note(excerpts: Mapping[str, Excerpt], infrared_offset: float) -> str:
    """How frames of two recordings were paired."""
    visible, infrared = excerpts["TV"].times, excerpts["IR"].times
    if visible is None or infrared is None:
        return "Frames of the two recordings are paired by their numbers: not both have times."
    apart = np.abs(np.array(visible) - infrared - infrared_offset).max()
    return f"Frames of the two recordings are paired by time, at most {apart:.3f} s apart."


def _taken(spectrum: str, excerpt: Excerpt, recording: Recording) -> str:
    first, last = min(excerpt.frames), max(excerpt.frames)
    moments = "" if excerpt.times is None else f" ({min(excerpt.times):.2f} to {max(excerpt.times):.2f} s)"
    rate = "" if excerpt.rate is None else f", {excerpt.rate:.4g} frames per second"
    count = len(set(excerpt.frames))
    return (
        f"{spectrum}: {count} frames from {first} to {last}{moments} of {excerpt.path}, which has "
        f"{recording.length} frames of {excerpt.size[1]}x{excerpt.size[0]}{rate}."
    )


def doubts_of(excerpts: Mapping[str, Excerpt]) -> Iterator[str]:
    """What was decided in reading excerpts, and what makes one doubt their spectra; their frames are decoded."""
    frames = {spectrum: excerpt.read() for spectrum, excerpt in excerpts.items()}
    for excerpt in excerpts.values():
        yield from excerpt.notes
    if len(frames) == 2 and are_grey(frames["TV"]) and not are_grey(frames["IR"]):
        visible, infrared = excerpts["TV"].path, excerpts["IR"].path
        yield f"The recordings look swapped: {visible}, read as visible, is grey; {infrared}, read as infrared, is not."
        return
    for spectrum, excerpt in excerpts.items():
        yield from doubts_of_colour(frames[spectrum], spectrum, excerpt.path)
