"""Clips of a set as a network takes them, a few of each spectrum and every class alike."""

from collections.abc import Mapping
from functools import partial

import jax

from jaxsal.core.types import ClipTree
from jaxsal.datasets.fused import fused_scenes
from jaxsal.datasets.records import FUSED, SPECTRA, ClipRecord, ClipSet, spread, white_frames
from jaxsal.evaluation.cells import Case
from jaxsal.metrics.localization import Mask
from jaxsal.training.networks import NetworkSpec


def select_cases(spec: NetworkSpec, clip_set: ClipSet, per_spectrum: int) -> list[Case]:
    """Some clips of every spectrum that a set has, cut as the network is tested on them; see `spread` for which.

    Raises:
      ValueError: If the set's classes are not the network's.
    """
    if clip_set.classes != spec.classes:
        raise ValueError(f"`data` must have the checkpoint's classes {spec.classes}; got {clip_set.classes}.")
    if spec.channels:
        clip_set = fused_scenes(clip_set)
    return [
        Case(
            record.name,
            record.spectrum,
            record.label,
            partial(_load_clip, spec, record),
            actor=record.actor,
            load_mask=None if record.load_mask is None else partial(actor_pixels, spec, record),
            load_excerpts=partial(spec.excerpts_of, record.parts),
        )
        for spectrum in ([FUSED] if spec.channels else SPECTRA)
        for record in spread([r for r in clip_set.records if r.spectrum == spectrum], per_spectrum)
    ]


def _load_clip(spec: NetworkSpec, record: ClipRecord) -> ClipTree:
    return spec.centre_clip(record.load())


def actor_pixels(spec: NetworkSpec, record: ClipRecord) -> Mask | Mapping[str, Mask] | None:
    """The pixels (T, H, W) of a clip, as the network takes it, that the actor covers by half or more, if known.

    Of a scene those in every spectrum, by name.
    """
    if record.load_mask is None:
        return None
    frames = jax.tree.map(white_frames, record.load_mask())
    return jax.tree.map(lambda clip: clip[..., 0] >= 0.5, spec.centre_clip(frames))
