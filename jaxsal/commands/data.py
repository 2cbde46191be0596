"""`jaxsal data`: sets of clips prepared as shards, listed and described."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from jaxsal.commands.annotations import called, left_out, one_of
from jaxsal.commands.output import Output
from jaxsal.commands.verb import Verb


@dataclass(frozen=True)
class Prepare(Verb):
    """Writes a set as shards, to be trained and evaluated on by its name.

    Example: jaxsal data prepare multispectral_actions --manual-dir recordings/ --size 256
    """

    name: Annotated[str, tyro.conf.Positional, one_of("multispectral_actions", "paired_actions", "synthetic_actions")]
    """multispectral_actions (the study's set), paired_actions (your own recordings), or synthetic_actions."""
    manual_dir: Annotated[Path | None, left_out("none, for synthetic_actions")] = None
    """Folder of the recordings, in the layout of data/README.md or data/multispectral_actions/README.md."""
    data_dir: Annotated[Path | None, left_out("$TFDS_DATA_DIR or data/tfds")] = None
    """Where to."""
    size: Annotated[int | None, left_out("frames as they are")] = None
    """Store squares of this side in pixels, at least 1, as training at this size cuts them."""
    antialias: bool = False
    """Antialias the resizing, as training of PAN does it."""
    num_frames: Annotated[int | None, left_out("20; recordings have their own")] = None
    """Frames of a clip of synthetic_actions, at least 1: four more than the network takes, 36 for PAN."""
    config: Annotated[str | None, left_out("full; squareSIZE with --size", metavar="NAME")] = None
    """Tells sets of one name apart."""

    def run(self) -> Output:
        """Prepares; what is there then."""
        from jaxsal.datasets.prepared import prepare_clips

        options: dict[str, Any] = dict(size=self.size, antialias=self.antialias, num_frames=self.num_frames)
        options |= dict(manual_dir=self.manual_dir, data_dir=self.data_dir, config=self.config)
        found = prepare_clips(self.name, **options)
        return _describe(found)


@dataclass(frozen=True)
class List(Verb):
    """Names the sets that are prepared.

    Example: jaxsal data list
    """

    data_dir: Annotated[Path | None, left_out("$TFDS_DATA_DIR or data/tfds")] = None
    """Where they lie."""

    def run(self) -> Output:
        """A line per set."""
        from jaxsal.datasets.prepared import default_data_dir, list_prepared

        found = list_prepared(self.data_dir)
        lines = [f"{prepared.name}  {prepared.folder}" for prepared in found]
        nothing = f"Nothing is prepared in {self.data_dir or default_data_dir()}."
        return Output("\n".join(lines) or nothing, {prepared.name: str(prepared.folder) for prepared in found})


@dataclass(frozen=True)
class Info(Verb):
    """Says how many clips of each class, split and spectrum a prepared set has.

    Example: jaxsal data info multispectral_actions
    """

    name: Annotated[str, tyro.conf.Positional, called("NAME")]
    """Of a prepared set; with its config where there are several."""
    data_dir: Annotated[Path | None, left_out("$TFDS_DATA_DIR or data/tfds")] = None
    """Where it lies."""

    renamed: ClassVar[Mapping[str, str]] = {"data": "name"}

    def run(self) -> Output:
        """A table."""
        from jaxsal.datasets.prepared import find_prepared

        return _describe(find_prepared(self.name, self.data_dir))


@dataclass(frozen=True)
class Data:
    """Prepares sets of clips, lists and describes them.

    Example: jaxsal data prepare paired_actions --manual-dir recordings/ --size 128
    """

    job: Annotated[Prepare | List | Info, tyro.conf.arg(name="")]

    def run(self) -> Output:
        """Does the one that was asked for."""
        return self.job.run()


def _describe(prepared: Any) -> Output:
    from jaxsal.datasets.prepared import prepared_clips
    from jaxsal.datasets.records import SPECTRA, SPLITS

    clips = prepared_clips(prepared.folder)
    counts = Counter((clips.classes[record.label], record.split, record.spectrum) for record in clips.records)
    cells = [(split, spectrum) for split in SPLITS for spectrum in SPECTRA]
    lines = [
        f"{prepared.name} in {prepared.folder}: {len(clips.records)} clips\n",
        "| class | " + " | ".join(f"{split} {spectrum}" for split, spectrum in cells) + " |",
        "|---|" + "|".join("--:" for _ in cells) + "|",
    ]
    for name in clips.classes:
        lines.append("| " + " | ".join([name, *(str(counts[name, *cell]) for cell in cells)]) + " |")
    by_class = {
        name: {f"{split} {spectrum}": counts[name, split, spectrum] for split, spectrum in cells}
        for name in clips.classes
    }
    return Output("\n".join(lines), dict(name=prepared.name, folder=str(prepared.folder), clips=by_class))
