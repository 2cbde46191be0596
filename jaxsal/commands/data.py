"""`jaxsal data`: sets of clips prepared as shards, listed, described, checked and probed."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from jaxsal.commands.probe import Probe
from jaxsal.commands.verb import Output, Verb, unset

if TYPE_CHECKING:
    from jaxsal.datasets.prepared import Prepared
    from jaxsal.datasets.records import ClipSet


@dataclass(frozen=True)
class Prepare(Verb):
    """Writes a set as shards, which train and evaluate open by name.

    Example: jaxsal data prepare multispectral_actions --manual-dir recordings/ --size 256
    """

    name: Annotated[Literal["multispectral_actions", "paired_actions", "synthetic_actions"], tyro.conf.Positional]
    """multispectral_actions (the study's set), paired_actions (your own recordings), or synthetic_actions."""
    manual_dir: Annotated[Path | None, unset("none, for synthetic_actions")] = None
    """Folder of the recordings, in the layout of data/README.md or data/multispectral_actions/README.md."""
    data_dir: Annotated[Path | None, unset("$TFDS_DATA_DIR or data/tfds")] = None
    """Folder to write the prepared set to."""
    size: Annotated[int | None, unset("frames keep their size")] = None
    """Store squares of this side in pixels, at least 1, cut like training at this size cuts them."""
    antialias: bool = False
    """Antialias the resizing, as the training of PAN does."""
    num_frames: Annotated[int | None, unset("20; recordings keep theirs")] = None
    """Frames per clip of synthetic_actions, at least 1: four more than the network takes, 36 for PAN."""
    config: Annotated[str | None, unset("full; squareSIZE with --size")] = None
    """Distinguishes prepared sets of the same name."""

    packages: ClassVar[tuple[str, ...]] = ("grain", "tensorflow_datasets")

    def run(self) -> Output:
        """Prepares the set; its description."""
        from jaxsal.datasets.builders import prepare_clips

        options: dict[str, Any] = dict(size=self.size, antialias=self.antialias, num_frames=self.num_frames)
        options |= dict(manual_dir=self.manual_dir, data_dir=self.data_dir, config=self.config)
        return _describe(prepare_clips(self.name, **options, progress=True))


@dataclass(frozen=True)
class List(Verb):
    """Lists the prepared sets.

    Example: jaxsal data list
    """

    data_dir: Annotated[Path | None, unset("$TFDS_DATA_DIR or data/tfds")] = None
    """Folder of the prepared sets."""

    def run(self) -> Output:
        """A line per set."""
        from jaxsal.datasets.prepared import default_data_dir, list_prepared

        folders = {prepared.name: str(prepared.folder) for prepared in list_prepared(self.data_dir)}
        text = "\n".join(f"{name}  {folder}" for name, folder in folders.items())
        return Output(text or f"Nothing is prepared in {self.data_dir or default_data_dir()}.", folders)


@dataclass(frozen=True)
class Info(Verb):
    """Counts the clips of each class, split and spectrum of a prepared set.

    Example: jaxsal data info multispectral_actions
    """

    name: Annotated[str, tyro.conf.Positional]
    """Name of a prepared set; name/config if it was prepared in several configs."""
    data_dir: Annotated[Path | None, unset("$TFDS_DATA_DIR or data/tfds")] = None
    """Folder of the prepared sets."""

    def run(self) -> Output:
        """A table."""
        from jaxsal.datasets.prepared import find_prepared

        return _describe(find_prepared(self.name, self.data_dir))


@dataclass(frozen=True)
class Check(Verb):
    """Reads a folder of recordings as training would, and prints what it holds and what is wrong with it.

    Example: jaxsal data check recordings/
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder in the layout of data/README.md or data/multispectral_actions/README.md."""

    def run(self) -> Output:
        """Counts of clips, what they are like, and problems."""
        from jaxsal.datasets.check import check_folder

        found = check_folder(self.folder)
        counts, by_class = _counts(found.clips)
        spectra = {
            spectrum: dict(
                clips=len(of.lengths), frames=sorted(of.lengths), sizes=sorted(of.sizes), rates=sorted(of.rates)
            )
            for spectrum, of in found.spectra.items()
        }
        lines = [
            f"{self.folder}: {len(found.clips.records)} clips of {len(found.clips.classes)} classes\n",
            *counts,
            "",
        ]
        for spectrum, of in found.spectra.items():
            if of.lengths:
                sizes = ", ".join(f"{width}x{height}" for width, height in sorted(of.sizes))
                rates = ", ".join(f"{rate:g}" for rate in sorted(of.rates)) or "unknown"
                frames = f"{min(of.lengths)} to {max(of.lengths)} frames"
                lines.append(f"{spectrum}: {len(of.lengths)} clips of {frames}, {sizes}, frames per second: {rates}")
        lines += ["", *(f"Problem: {problem}" for problem in found.problems)] if found.problems else ["No problems."]
        data = dict(folder=str(self.folder), clips=by_class, spectra=spectra, problems=list(found.problems))
        return Output("\n".join(lines), data)


@dataclass(frozen=True)
class Data:
    """Prepares sets of clips, lists, describes, checks and probes them.

    Example: jaxsal data prepare paired_actions --manual-dir recordings/ --size 128
    """

    job: Annotated[Prepare | List | Info | Check | Probe, tyro.conf.arg(name="")]


def _describe(prepared: "Prepared") -> Output:
    from jaxsal.datasets.prepared import prepared_clips

    clips = prepared_clips(prepared.folder)
    lines, by_class = _counts(clips)
    text = "\n".join([f"{prepared.name} in {prepared.folder}: {len(clips.records)} clips\n", *lines])
    return Output(text, dict(name=prepared.name, folder=str(prepared.folder), clips=by_class))


def _counts(clips: "ClipSet") -> tuple[list[str], dict[str, dict[str, int]]]:
    """Clips of each class by split and spectrum, as the lines of a table and by name."""
    from jaxsal.datasets.records import SPECTRA, SPLITS

    counts = Counter((clips.classes[record.label], record.split, record.spectrum) for record in clips.records)
    cells = [(split, spectrum) for split in SPLITS for spectrum in SPECTRA]
    lines = [
        "| class | " + " | ".join(f"{split} {spectrum}" for split, spectrum in cells) + " |",
        "|---|" + "|".join("--:" for _ in cells) + "|",
    ]
    for name in clips.classes:
        lines.append("| " + " | ".join([name, *(str(counts[name, *cell]) for cell in cells)]) + " |")
    by_class = {
        name: {f"{split} {spectrum}": counts[name, split, spectrum] for split, spectrum in cells}
        for name in clips.classes
    }
    return lines, by_class
