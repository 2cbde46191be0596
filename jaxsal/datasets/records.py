"""What a set of clips is: names, labels, spectra, splits, and a way to load each clip's frames."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, UInt8

from jaxsal.core.checks import hint

if TYPE_CHECKING:
    from jaxsal.datasets.recordings.part import Part

SPECTRA = ("IR", "TV")
FUSED = "FUSED"
"""Of a network that takes both spectra of a scene at once, and of such a scene."""
TRAINING_SPECTRA = {"IR": ("IR",), "TV": ("TV",), "IRTV": ("IR", "TV")}
"""Of networks that take one clip at a time: the spectra of the clips that they are trained on."""
SPLITS = ("train", "test")

Frames = UInt8[np.ndarray, "L H W 3"]


@dataclass(frozen=True)
class ClipRecord:
    """One labelled clip of one spectrum.

    Attributes:
      name: Unique within its set.
      label: Index into the set's classes.
      spectrum: "IR" or "TV"; "FUSED" for a scene in both, see `jaxsal.datasets.fused`.
      split: "train" or "test".
      load: Returns all frames of the clip, (L, H, W, 3) uint8; grey frames repeated to three channels. Of a scene in
        both spectra by name.
      load_mask: Returns the actor's pixels in all frames, (L, H, W), in sets that know them.
      scene: What both spectra of a scene share and no other clip; the name without its "-IR" or "-TV" if left out.
      actor: Who is seen: clips of one actor are no independent samples; the scene if left out.
      parts: By spectrum, the part of a recording that the clip is; empty where it is of none.
    """

    name: str
    label: int
    spectrum: str
    split: str
    load: Callable[[], Any]
    load_mask: Callable[[], Any] | None = None
    scene: str = ""
    actor: str = ""
    parts: "Mapping[str, Part]" = field(default_factory=dict, hash=False)

    def __post_init__(self):
        if not self.scene:
            object.__setattr__(self, "scene", self.name.removesuffix(f"-{self.spectrum}"))
        if not self.actor:
            object.__setattr__(self, "actor", self.scene)

    @property
    def path(self) -> Path | None:
        """The file or folder of the recording of a clip in one spectrum; None where it is of none."""
        return self.parts[self.spectrum].path if self.spectrum in self.parts else None


def white_frames(mask: Bool[np.ndarray, "L H W"]) -> Frames:
    """A mask as frames, white on black, to be resized and cut as the frames of its clip are."""
    return np.repeat(np.uint8(255) * mask[..., None].astype(np.uint8), 3, axis=-1)


@dataclass(frozen=True)
class ClipSet:
    """Labelled clips with the names of their classes."""

    classes: tuple[str, ...]
    records: tuple[ClipRecord, ...]

    def select(self, *, split: str | None = None, spectra: Collection[str] | None = None) -> "ClipSet":
        """The clips of one split and of some spectra, in their order.

        Args:
          split: "train", "test", or None for both.
          spectra: The spectra to keep, out of "IR" and "TV", each of which must be there; None for all there are.

        Raises:
          ValueError: If the split or a spectrum is unknown, or the set has no clip of a wanted spectrum.
        """
        if split is not None and split not in SPLITS:
            raise ValueError(f"`split` must be one of {SPLITS} or None; got {split!r}.{hint(split, SPLITS)}")
        wanted = SPECTRA if spectra is None else spectra
        unknown = [spectrum for spectrum in wanted if spectrum not in SPECTRA]
        if unknown:
            raise ValueError(f"`spectra` must be out of {SPECTRA}; got {unknown[0]!r}.{hint(unknown[0], SPECTRA)}")
        records = tuple(r for r in self.records if split in (None, r.split) and r.spectrum in wanted)
        missing = sorted(set(wanted) - {r.spectrum for r in records})
        if missing and spectra is not None:
            where = f"the {split} split" if split else "the set"
            raise ValueError(f"`spectra` must be present in {where}; got no {missing[0]} clip.")
        return ClipSet(self.classes, records)


def spread(records: Sequence[ClipRecord], count: int) -> list[ClipRecord]:
    """Some records, every class alike, in the order of the classes.

    Where a class starts is rotated from class to class, so that a few records already are of different people, views
    and takes, and two classes do not show the same scene.
    """
    by_label: dict[int, list[ClipRecord]] = {}
    for record in records:
        by_label.setdefault(record.label, []).append(record)
    share, rest = divmod(min(count, len(records)), max(len(by_label), 1))
    chosen = []
    for place, label in enumerate(sorted(by_label)):
        of_class = by_label[label]
        wanted = min(share + (place < rest), len(of_class))
        chosen += [of_class[(i * len(of_class) // wanted + place) % len(of_class)] for i in range(wanted)]
    return chosen
