"""Sets of clips as TFDS builders: prepared once as array_record shards, then read clip by clip.

    prepare_clips("multispectral_actions", manual_dir="recordings/")
    tfds.builder("multispectral_actions")  # after importing this module

TensorFlow is not needed. An example is one clip: `frames`, `label`, `name`, `spectrum`, and `actor`, its actor's pixels
where the set knows them. The names, labels and spectra of all clips are in the metadata too, in the order of the
examples, so that a set is listed without reading a frame.
"""

import contextlib
import dataclasses
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxsal.core.checks import check_choice, check_positive
from jaxsal.core.extras import check_installed
from jaxsal.core.files import system_reason
from jaxsal.core.locks import hold_folder
from jaxsal.core.progress import counted
from jaxsal.datasets.clips import square_frames
from jaxsal.datasets.multispectral import multispectral_folder
from jaxsal.datasets.paired import paired_actions
from jaxsal.datasets.pipeline import in_order
from jaxsal.datasets.prepared import NAMES, Prepared, default_data_dir, open_builder, seal_small_files
from jaxsal.datasets.records import SPECTRA, SPLITS, ClipRecord, ClipSet, white_frames
from jaxsal.datasets.synthetic import synthetic_actions

check_installed("tensorflow_datasets")
import tensorflow_datasets as tfds  # noqa: E402

FULL = "full"  # the config with frames as they are recorded
RENDERED_FRAMES = 20  # as a network of 16 frames is trained on, with four to choose among


@dataclasses.dataclass
class ClipConfig(tfds.core.BuilderConfig):
    """How the frames are stored.

    Attributes:
      size: Frames are resized and cut to squares of this side, as training does it; as they are if None.
      antialias: Of the resizing.
      num_frames: Of the clips of the embedded set; recordings have their own.
    """

    size: int | None = None
    antialias: bool = False
    num_frames: int = RENDERED_FRAMES


class ClipBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Writes a set of clips; a subclass says where the set comes from."""

    VERSION = tfds.core.Version("1.0.0")
    HAS_ACTORS = False
    show_progress = False
    builder_config: ClipConfig

    def __init__(self, *, file_format: str | tfds.core.FileFormat | None = "array_record", **options: Any):
        super().__init__(file_format=file_format, **options)

    def clip_set(self, manual_dir: Path) -> ClipSet:
        """The set to be written, out of a folder; the embedded set reads none."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "frames": tfds.features.Tensor(shape=(None, None, None, 3), dtype=np.uint8, encoding="bytes"),
            "label": tfds.features.ClassLabel(),
            "name": tfds.features.Text(),
            "spectrum": tfds.features.ClassLabel(names=SPECTRA),
        }
        if self.HAS_ACTORS:
            features["actor"] = tfds.features.Tensor(shape=(None, None, None), dtype=np.bool_, encoding="bytes")
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(clips={}),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        source = Path(dl_manager.manual_dir).absolute() if self.MANUAL_DOWNLOAD_INSTRUCTIONS else None
        clip_set = self.clip_set(source or Path())
        self.info.features["label"].names = clip_set.classes
        stored = dataclasses.asdict(self.builder_config)
        stored = {field: stored[field] for field in ("size", "antialias", "num_frames")}
        self.info.metadata.update(classes=clip_set.classes, source=source and str(source), **stored)
        splits = {split: clip_set.select(split=split).records for split in SPLITS}
        return {split: self._generate_examples(split, records) for split, records in splits.items() if records}

    def _generate_examples(self, split: str, records: tuple[ClipRecord, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
        table = self.info.metadata["clips"][split] = []
        read = counted(in_order(self._load, records), len(records), split, "clips", show=self.show_progress)
        for number, (record, loaded) in enumerate(zip(records, read, strict=True)):
            table.append([record.name, record.label, record.spectrum, record.scene, record.actor])
            yield number, dict(label=record.label, name=record.name, spectrum=record.spectrum, **loaded)

    def _load(self, record: ClipRecord) -> dict[str, np.ndarray]:
        loaded = dict(frames=self._squares(record.load()))
        if self.HAS_ACTORS and record.load_mask is not None:
            loaded["actor"] = self._squares(white_frames(record.load_mask()))[..., 0] >= 128  # covered by half or more
        return loaded

    def _squares(self, frames: np.ndarray) -> np.ndarray:
        config = self.builder_config
        return frames if config.size is None else square_frames(frames, config.size, antialias=config.antialias)


class MultispectralActions(ClipBuilder):
    """The Multispectral Action Dataset, eight actions in infrared and visible light (Hilsenbeck et al., ISM 2016)."""

    BUILDER_CONFIGS = [ClipConfig(name="full")]  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = "The set is on request; data/multispectral_actions/README.md has the layout."

    def clip_set(self, manual_dir: Path) -> ClipSet:
        """The clips of a folder in the layout of `jaxsal.datasets.multispectral`."""
        return multispectral_folder(manual_dir)


class PairedActions(ClipBuilder):
    """Recordings of your own, in one spectrum or in two."""

    BUILDER_CONFIGS = [ClipConfig(name="full")]  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = "A folder of recordings in the layout of data/README.md."

    def clip_set(self, manual_dir: Path) -> ClipSet:
        """The clips of a folder in the layout of `jaxsal.datasets.paired`."""
        return paired_actions(manual_dir)


class SyntheticActions(ClipBuilder):
    """The embedded, rendered action set, eight actions by 48 actors; frames of 64 pixels or `size`."""

    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES = {  # noqa: RUF012
        "2.0.0": "48 actors, anywhere in the picture; clips are loops that begin anywhere in their action.",
    }
    BUILDER_CONFIGS = [ClipConfig(name="full")]  # noqa: RUF012
    HAS_ACTORS = True

    def clip_set(self, manual_dir: Path) -> ClipSet:
        """The rendered clips; `manual_dir` is not read."""
        config = self.builder_config
        return synthetic_actions(num_frames=config.num_frames, height=config.size or 64)


BUILDERS: dict[str, type[ClipBuilder]] = {
    builder.name: builder for builder in (MultispectralActions, PairedActions, SyntheticActions)
}


def prepare_clips(
    name: str,
    *,
    manual_dir: str | Path | None = None,
    data_dir: str | Path | None = None,
    size: int | None = None,
    antialias: bool = False,
    num_frames: int | None = None,
    config: str | None = None,
    progress: bool = False,
) -> Prepared:
    """Writes a set as shards, or finds it written.

    Args:
      name: One of `NAMES`.
      manual_dir: The folder of the recordings; none for the embedded set.
      data_dir: Where to; `default_data_dir` if None.
      size: Stores frames resized and cut to squares of this side, as training at this size does it: less to
        keep and to read. Frames as they are recorded if None.
      antialias: Of the resizing to `size`; the network's own (PAN's is antialiased) for training on the squares.
      num_frames: Of the clips of the embedded set, 20 if None; recordings have their own.
      config: Tells sets of one name apart; if None "full", or "square<size>", "frames<num_frames>" and "antialias",
        those of them that apply, with dashes between.
      progress: Whether to show on standard error how far it is.

    Returns:
      Where it lies; a set that is being written is not there until it is whole.

    Raises:
      FileNotFoundError: If a file of the layout is missing.
      OSError: If the set cannot be written, as when the disk is full.
      ValueError: If the name is unknown, `manual_dir` does not fit it, the layout is not as it must be, or the
        config holds another set.
    """
    _check_request(name, manual_dir, size, antialias, num_frames, config)
    parts = [f"square{size}"] * (size is not None) + [f"frames{num_frames}"] * (num_frames is not None)
    config = config or "-".join(parts + ["antialias"] * antialias) or FULL
    chosen = ClipConfig(name=config, size=size, antialias=antialias, num_frames=num_frames or RENDERED_FRAMES)
    root = Path(data_dir or default_data_dir()).absolute()
    with hold_folder(root / name, "data prepare"), contextlib.redirect_stdout(sys.stderr):
        for leftover in (root / name).glob("*/incomplete.*"):
            shutil.rmtree(leftover, ignore_errors=True)  # of a run that was killed, for none holds the folder
        builder = BUILDERS[name](data_dir=root, config=FULL if config == FULL else chosen)
        builder.show_progress = progress
        tfds.disable_progress_bar()  # which writes carriage returns, also to a log
        with _written(name, root):
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual_dir))
        seal_small_files(Path(builder.data_dir))
    prepared = Prepared(f"{name}/{config}", Path(builder.data_dir))
    source = None if manual_dir is None else str(Path(manual_dir).absolute())
    _check_same(prepared, dict(source=source, size=size, antialias=antialias, num_frames=chosen.num_frames))
    return prepared


@contextlib.contextmanager
def _written(name: str, root: Path) -> Iterator[None]:
    """Says in one line that a set could not be written; the writers name files of their own."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        if isinstance(error, OSError) and "incomplete." not in str(error.filename):
            raise  # of the recordings
        raise OSError(
            f"Cannot write {name} to {root}: {system_reason(error)}. Other prepared sets are safe; the same command "
            "prepares this one from the start."
        ) from error


def _check_request(
    name: str,
    manual_dir: str | Path | None,
    size: int | None,
    antialias: bool,
    num_frames: int | None,
    config: str | None,
) -> None:
    check_choice("name", name, NAMES)
    is_embedded = not BUILDERS[name].MANUAL_DOWNLOAD_INSTRUCTIONS
    if size is not None:
        check_positive("size", size)
    if config is not None and not re.fullmatch(r"\w[\w.-]*", config):
        raise ValueError(f"`config` must be letters, digits, dots, dashes and underscores; got {config!r}.")
    if size is None and antialias:
        raise ValueError("`antialias` must come with a `size` to resize to; got none.")
    if size is not None and config == FULL:
        raise ValueError(f"`config` must not be {FULL!r}, frames as they are recorded, with a `size`; got {size}.")
    if (manual_dir is None) != is_embedded:
        rule = "be left out" if is_embedded else "be the folder of the recordings"
        raise ValueError(f"`manual_dir` must {rule} for {name}; got {manual_dir}.")
    if num_frames is not None:
        check_positive("num_frames", num_frames)
        if not is_embedded or config == FULL:
            raise ValueError(f"`num_frames` must be left out for {name} {config or ''}; got {num_frames}.")
    if manual_dir is not None and not Path(manual_dir).is_dir():
        raise FileNotFoundError(f"`manual_dir` must be a folder; got {manual_dir}.")


def _check_same(prepared: Prepared, wanted: dict[str, Any]) -> None:
    held = dict(num_frames=RENDERED_FRAMES) | open_builder(prepared.folder).info.metadata  # older sets do not say
    for key, value in wanted.items():
        if held[key] != value:
            raise ValueError(f"`config` must be new; got {prepared.name!r}, which has {key} {held[key]}, not {value}.")
