"""A folder of recordings read as training would read it: what it holds, and what is wrong with it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from jaxsal.datasets.multispectral import multispectral_folder
from jaxsal.datasets.paired import paired_actions
from jaxsal.datasets.recordings.doubts import doubts_of_colour
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.datasets.records import SPECTRA, SPLITS, ClipRecord, ClipSet


@dataclass
class SpectrumSummary:
    """What the clips of one spectrum are like.

    Attributes:
      lengths: Frames of each clip.
      sizes: (width, height) that occur.
      rates: Frames per second that occur, rounded to two places; none where files do not say.
    """

    lengths: list[int] = field(default_factory=list)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    rates: set[float] = field(default_factory=set)


@dataclass(frozen=True)
class FolderCheck:
    """What a folder holds.

    Attributes:
      clips: Its clips.
      spectra: By spectrum, what its clips are like.
      problems: What is wrong or doubtful, in sentences.
    """

    clips: ClipSet
    spectra: dict[str, SpectrumSummary]
    problems: tuple[str, ...]


def check_folder(folder: str | Path, on_clip: Callable[[], object] = lambda: None) -> FolderCheck:
    """Reads every clip of a folder in the layout of `jaxsal.datasets.paired` or `.multispectral`.

    Args:
      folder: The folder.
      on_clip: Called after each clip.

    Raises:
      FileNotFoundError: If a table is missing.
      ValueError: If a table is not as it must be.
    """
    folder = Path(folder)
    clips = multispectral_folder(folder) if (folder / "train.txt").is_file() else paired_actions(folder)
    spectra: dict[str, SpectrumSummary] = {}
    problems: dict[str, None] = {}
    for record in clips.records:
        problems |= dict.fromkeys(_read(record, spectra.setdefault(record.spectrum, SpectrumSummary())))
        on_clip()
    problems |= dict.fromkeys([*_problems_of_splits(clips), *_unlisted(folder, clips)])
    return FolderCheck(clips, spectra, tuple(problems))


def _read(record: ClipRecord, summary: SpectrumSummary) -> Iterator[str]:
    """Takes a clip into account; what is wrong with it."""
    try:
        frames = record.load()
        recording = open_recording(record.path) if record.path is not None else None
    except (ValueError, OSError) as error:
        yield f"{record.name}: {error}"
        return
    summary.lengths.append(len(frames))
    summary.sizes.add((frames.shape[2], frames.shape[1]))
    if recording is not None:
        summary.rates |= {round(recording.rate, 2)} if recording.rate else set()
        yield from recording.notes
    sample = frames[np.unique(np.linspace(0, len(frames) - 1, 8).astype(int))]
    yield from doubts_of_colour(sample, record.spectrum, record.path or record.name)


def _problems_of_splits(clips: ClipSet) -> Iterator[str]:
    for split in SPLITS:
        missing = [
            name
            for label, name in enumerate(clips.classes)
            if not any(record.label == label and record.split == split for record in clips.records)
        ]
        if missing:
            yield f"The {split} split has no clip of {', '.join(missing)}."


def _unlisted(folder: Path, clips: ClipSet) -> Iterator[str]:
    """Recordings that no row of the table names."""
    listed = {record.path for record in clips.records}
    for spectrum in SPECTRA if None not in listed else ():
        there = sorted((folder / spectrum).iterdir()) if (folder / spectrum).is_dir() else []
        unlisted = [path.name for path in there if path not in listed and path.name[0] != "."]
        if unlisted:
            yield f"{spectrum}/ has {len(unlisted)} entries that no row names, such as {unlisted[0]}."
