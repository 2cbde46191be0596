"""Scenes for networks that take both spectra at once: pairs of clips of one moment, frame by frame."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Int

from jaxsal.datasets.records import FUSED, SPECTRA, TRAINING_SPECTRA, ClipRecord, ClipSet

FrameTree = Any
"""Frames (L, H, W, 3) of a recording; of a scene by spectrum, whose numbers of frames and sizes may differ."""


def clips_for(clip_set: ClipSet, spectra: str, *, split: str | None = None) -> ClipSet:
    """The clips that a network of these spectra is trained on: of each of them, or scenes in both if "FUSED".

    Raises:
      ValueError: If the set has no clip of a spectrum, or no scene in both.
    """
    if spectra == FUSED:
        return fused_scenes(clip_set.select(split=split))
    return clip_set.select(split=split, spectra=TRAINING_SPECTRA[spectra])


def testing_clips(clip_set: ClipSet, spectra: str) -> ClipSet:
    """The clips that a network of these spectra is tested on: all of the split, or its scenes in both if "FUSED"."""
    return clips_for(clip_set, spectra, split="test") if spectra == FUSED else clip_set.select(split="test")


def fused_scenes(clip_set: ClipSet) -> ClipSet:
    """One record for each scene that a set has in both spectra, named after it; scenes in one alone are left out.

    Raises:
      ValueError: If no scene is in both.
    """
    by_scene: dict[tuple[str, str], dict[str, ClipRecord]] = {}
    for record in clip_set.records:
        by_scene.setdefault((record.scene, record.split), {})[record.spectrum] = record
    pairs = [parts for parts in by_scene.values() if set(parts) == set(SPECTRA)]
    if not pairs:
        raise ValueError("`spectra` must be IR, TV or IRTV for a set without a scene in both spectra; got FUSED.")
    return ClipSet(clip_set.classes, tuple(map(_fused, pairs)))


def _fused(parts: dict[str, ClipRecord]) -> ClipRecord:
    first, masks = parts[SPECTRA[0]], {name: record.load_mask for name, record in parts.items()}
    recorded = {name: part for record in parts.values() for name, part in record.parts.items()}
    known = {name: load for name, load in masks.items() if load is not None}
    return ClipRecord(
        name=f"{first.scene}-{FUSED}",
        label=first.label,
        spectrum=FUSED,
        split=first.split,
        load=partial(_load_each, {name: record.load for name, record in parts.items()}),
        load_mask=partial(_load_each, known) if len(known) == len(parts) else None,
        scene=first.scene,
        actor=first.actor,
        parts=recorded if len(recorded) == len(parts) else {},
    )


def _load_each(loads: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    return {name: loads[name]() for name in SPECTRA}


def take_frames(frames: FrameTree, choose: Callable[[int], Int[np.ndarray, " T"]]) -> FrameTree:
    """The frames of a clip: of a scene those of the same moments in both spectra.

    Args:
      frames: All frames of a recording, or of a scene by spectrum.
      choose: Takes the number of frames of a recording, and returns numbers of frames.
    """
    if not isinstance(frames, Mapping):
        return frames[choose(len(frames))]
    chosen = same_moments({name: len(part) for name, part in frames.items()}, choose)
    return {name: part[chosen[name]] for name, part in frames.items()}


def same_moments(
    lengths: Mapping[str, int], choose: Callable[[int], Int[np.ndarray, " T"]]
) -> dict[str, Int[np.ndarray, " T"]]:
    """Numbers of frames, by spectrum, that are of the same moments in recordings of some lengths.

    They are chosen in the infrared recording, where there is one. Those of the visible one are at the same share of its
    length, so that recordings of other frame rates go together; in equally long ones they are the same.
    """
    first = lengths[next(name for name in SPECTRA if name in lengths)]
    share = choose(first) / max(first - 1, 1)
    return {name: np.rint(share * (length - 1)).astype(int) for name, length in lengths.items()}


def map_frames(function: Callable[[Any], Any], frames: FrameTree) -> FrameTree:
    """A function of the frames of a recording; of a scene of each spectrum, whose infrared keeps a single channel."""
    if not isinstance(frames, Mapping):
        return function(frames)
    return {name: function(part)[..., : 1 if name == "IR" else None] for name, part in frames.items()}
