"""`jaxsal data probe`: what a set of clips gives away without the order of its frames."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro
from jaxtyping import UInt8

from jaxsal.commands.verb import Output, Verb

if TYPE_CHECKING:
    from jaxsal.datasets.records import ClipSet
    from jaxsal.metrics.probe import Cue, Probed
    from jaxsal.report.sheet import Sheet

SIZE = 64  # pixels of the squares in which the actor is looked for
OUTLINE = "outline"  # what probes see beside the spectra: the actor's pixels alone, moved to the centre
Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Probe(Verb):
    """Fits simple classifiers to parts of clips: what a set gives away without the order of its frames.

    Example: jaxsal data probe synthetic
    """

    data: Annotated[str, tyro.conf.Positional]
    """synthetic (the embedded set), the name of a prepared set, or a folder of recordings."""
    num_frames: int = 16
    """Frames per clip, at least 1: the middle ones, as a network is tested on them."""
    seed: int = 0
    """Seed of the embedded set, 0 to 4294967295."""

    def run(self) -> Output:
        """A table of accuracies and, where the actor's pixels are known, one of what finds the actor."""
        from jaxsal.datasets.catalog import open_clips
        from jaxsal.report.sheet import to_markdown, to_records

        clip_set = open_clips(self.data, height=SIZE, num_frames=self.num_frames, seed=self.seed)
        sheets = probe_set(clip_set, self.num_frames, progress=True)
        text = "\n".join(to_markdown(sheet) for sheet in sheets)
        return Output(text, {sheet.name: to_records(sheet) for sheet in sheets})


def probe_set(clip_set: "ClipSet", num_frames: int, *, progress: bool = False) -> "list[Sheet]":
    """The tables of a set; actions of the embedded set are also told apart in their pairs.

    Args:
      clip_set: Clips of both splits.
      num_frames: T, the frames of a clip.
      progress: Whether to show bars on standard error.

    Raises:
      ValueError: If the set has no clips to train or none to test on.
    """
    from jaxsal.datasets.synthetic import ACTION_PAIRS
    from jaxsal.metrics.probe import LabelledClips, actor_cues, centred, probe_clips, thumbnails

    names = clip_set.classes
    pairs = [(names.index(one), names.index(two)) for one, two in ACTION_PAIRS if {one, two} <= set(names)]
    probed, cues = {}, {}
    for spectrum in dict.fromkeys(record.spectrum for record in clip_set.records):
        of_spectrum = clip_set.select(spectra=(spectrum,))
        frames = {split: _frames(of_spectrum, split, num_frames, progress) for split in ("train", "test")}
        labels = {split: [r.label for r in of_spectrum.select(split=split).records] for split in frames}
        seen = {spectrum: {split: thumbnails(clips) for split, clips in frames.items()}}
        if all(record.load_mask for record in of_spectrum.records):
            masked = _mask_set(of_spectrum)
            needed = ("test",) if OUTLINE in probed else ("train", "test")
            masks = {split: _frames(masked, split, num_frames, progress)[..., 0] >= 128 for split in needed}
            cues[spectrum] = actor_cues(frames["test"].mean(axis=-1), masks["test"])
            if OUTLINE not in probed:
                seen[OUTLINE] = {split: thumbnails(centred(mask)) for split, mask in masks.items()}
        for name, pixels in seen.items():
            train, test = (LabelledClips(pixels[split], np.array(labels[split])) for split in ("train", "test"))
            probed[name] = probe_clips(train, test, pairs)
    return [_parts_sheet(probed, len(names), bool(pairs)), *([_cues_sheet(cues)] if cues else [])]


def _frames(clip_set: "ClipSet", split: str, num_frames: int, progress: bool) -> UInt8[np.ndarray, "N T S S 3"]:
    from jaxsal.datasets.pipeline import load_clips
    from jaxsal.datasets.sampling import WindowSampler

    chosen = clip_set.select(split=split)
    if not chosen.records:
        raise ValueError(f"`data` must have clips of both splits; got no {split} clip.")
    source = load_clips(chosen, size=SIZE, sampler=WindowSampler(num_frames), antialias=True, progress=progress)
    return np.stack([source.clip(number) for number in range(len(chosen.records))])


def _mask_set(clip_set: "ClipSet") -> "ClipSet":
    """The set with the actor's pixels, white on black, in place of the frames."""
    from jaxsal.datasets.records import ClipSet, white_frames

    def masked(record):
        return dataclasses.replace(record, load=lambda: white_frames(record.load_mask()))

    return ClipSet(clip_set.classes, tuple(masked(record) for record in clip_set.records))


def _parts_sheet(probed: "Mapping[str, Sequence[Probed]]", num_classes: int, paired: bool) -> "Sheet":
    """One line per part of a clip and kind of probe; per input, the accuracy in a pair and among all classes."""
    from jaxsal.report.sheet import Sheet

    titles = (*(["pair"] if paired else []), f"{num_classes} classes")
    columns = ("part", "probe", *(f"{name}, {title}" for name in probed for title in titles))
    lines = tuple(
        (
            alike[0].part,
            alike[0].kernel,
            *(share for one in alike for share in (one.pair_accuracy, one.accuracy)[not paired :]),
        )
        for alike in zip(*probed.values(), strict=True)
    )
    chance = f"Chance: {'.5 in a pair, ' * paired}{1 / num_classes:.3g} among all classes.".replace("0.", ".")
    return Sheet("parts", "What parts of a clip tell", "", columns, lines, chance)


def _cues_sheet(cues: "Mapping[str, Sequence[Cue]]") -> "Sheet":
    from jaxsal.report.sheet import Sheet

    columns = ("cue", *(f"{name}, {title}" for name in cues for title in ("AUC", "AUC or 1 - AUC")))
    lines = tuple(
        (alike[0].name, *(value for one in alike for value in (one.auc, one.either_way)))
        for alike in zip(*cues.values(), strict=True)
    )
    return Sheet("cues", "What finds the actor", "", columns, lines, "Chance: .5.")
