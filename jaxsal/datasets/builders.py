"""Sets of clips as TFDS builders: prepared once as array_record shards, then read clip by clip.

    import jaxsal.datasets.builders, tensorflow_datasets as tfds
    tfds.builder("multispectral_actions").download_and_prepare(...)

TensorFlow is not needed. An example is one clip: `frames`, `label`, `name`, `spectrum`, and `actor`, its actor's pixels
where the set knows them. The names, labels and spectra of all clips are in the metadata too, in the order of the
examples, so that a set is listed without reading a frame.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from jaxsal.datasets.decoding import in_order, square_frames
from jaxsal.datasets.multispectral import multispectral_folder
from jaxsal.datasets.paired import paired_actions
from jaxsal.datasets.prepared import RENDERED_FRAMES
from jaxsal.datasets.records import SPECTRA, SPLITS, ClipRecord, ClipSet, white_frames
from jaxsal.datasets.synthetic.scenes import synthetic_actions


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
    builder_config: ClipConfig

    def __init__(self, *, file_format: Any = "array_record", **options: Any):
        super().__init__(file_format=file_format, **options)

    def clip_set(self, manual_dir: Any) -> ClipSet:
        """The set to be written, out of a folder, None where there is none."""
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
        source: Any = Path(dl_manager.manual_dir).absolute() if self.MANUAL_DOWNLOAD_INSTRUCTIONS else None
        clip_set = self.clip_set(source)
        self.info.features["label"].names = clip_set.classes
        config = self.builder_config
        stored = dict(
            source=source and str(source), size=config.size, antialias=config.antialias, num_frames=config.num_frames
        )
        self.info.metadata.update(classes=clip_set.classes, **stored)
        splits = {split: clip_set.select(split=split).records for split in SPLITS}
        return {split: self._generate_examples(split, records) for split, records in splits.items() if records}

    def _generate_examples(self, split: str, records: tuple[ClipRecord, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
        table = self.info.metadata["clips"][split] = []
        for number, (record, loaded) in enumerate(zip(records, in_order(self._load, records), strict=True)):
            table.append([record.name, record.label, record.spectrum, record.scene])
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

    def clip_set(self, manual_dir: Any) -> ClipSet:
        """The clips of a folder in the layout of `jaxsal.datasets.multispectral`."""
        return multispectral_folder(manual_dir)


class PairedActions(ClipBuilder):
    """Recordings of one's own, in one spectrum or in two."""

    BUILDER_CONFIGS = [ClipConfig(name="full")]  # noqa: RUF012
    MANUAL_DOWNLOAD_INSTRUCTIONS = "A folder of recordings in the layout of data/README.md."

    def clip_set(self, manual_dir: Any) -> ClipSet:
        """The clips of a folder in the layout of `jaxsal.datasets.paired`."""
        return paired_actions(manual_dir)


class SyntheticActions(ClipBuilder):
    """The embedded, rendered action set, eight actions by ten actors in two takes; frames of 64 pixels or `size`."""

    BUILDER_CONFIGS = [ClipConfig(name="full")]  # noqa: RUF012
    HAS_ACTORS = True

    def clip_set(self, manual_dir: Any) -> ClipSet:
        """The rendered clips; `manual_dir` is not read."""
        config = self.builder_config
        return synthetic_actions(takes=2, num_frames=config.num_frames, height=config.size or 64)


BUILDERS: dict[str, type[ClipBuilder]] = {
    builder.name: builder for builder in (MultispectralActions, PairedActions, SyntheticActions)
}
