"""The clips of the experiment: held-out actors of the embedded set, each with what its cells are swapped for."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxsal.core.types import Clip
from jaxsal.datasets.catalog import SYNTHETIC, open_clips
from jaxsal.datasets.records import SPECTRA, ClipRecord
from jaxsal.datasets.synthetic import ACTIONS
from jaxsal.training.networks import NetworkSpec

SWAPS = ("partner", "other action")
"""What cells are swapped for: the partner action, the clip backwards in time; and another action, from another place.

Both show the same actor in the same room before the same camera; only the partner is filmed from the same angle.
"""


class Subject(NamedTuple):
    """One clip to explain.

    Attributes:
      name: Of the clip.
      spectrum: "IR" or "TV".
      actor: Who is seen.
      label: The true class.
      record: The clip.
      swaps: By name, the clips that its cells are swapped for.
      other: The next actor's clip of the action three classes on, whose maps are controls.
    """

    name: str
    spectrum: str
    actor: str
    label: int
    record: ClipRecord
    swaps: dict[str, ClipRecord]
    other: ClipRecord


def subjects(spec: NetworkSpec, seed: int, num_clips: int) -> list[Subject]:
    """Test clips of different actors, in turns infrared and visible; then the same scenes in the other spectrum.

    Raises:
      ValueError: If the network does not tell the embedded actions apart, or there are not so many clips.
    """
    if spec.classes != ACTIONS:
        raise ValueError(f"`checkpoint` must be of the embedded actions {ACTIONS}; got {spec.classes}.")
    clip_set = open_clips(SYNTHETIC, height=spec.size, num_frames=spec.num_frames, seed=seed).select(split="test")
    actors = sorted({record.actor for record in clip_set.records})
    most = 2 * len(ACTIONS) * len(actors)
    if not 1 <= num_clips <= most:
        raise ValueError(f"`num_clips` must be from 1 to {most}; got {num_clips}.")
    records = {(record.actor, record.label, record.spectrum): record for record in clip_set.records}
    scenes = range(max(len(actors), -(-num_clips // 2)))
    chosen = [(scene, SPECTRA[(scene + turn) % 2]) for turn in (0, 1) for scene in scenes]
    return [_subject(records, actors, *one) for one in chosen[:num_clips]]


def _subject(
    records: Mapping[tuple[str, int, str], ClipRecord], actors: Sequence[str], scene: int, spectrum: str
) -> Subject:
    """A scene: every actor once, in another action each or two, then once more in the next action."""
    turn, place = divmod(scene, len(actors))
    label = (place * len(ACTIONS) // len(actors) + turn) % len(ACTIONS)
    actor, next_actor = actors[place], actors[(place + 1) % len(actors)]
    record = records[actor, label, spectrum]
    partner, other_action = (records[actor, of, spectrum] for of in (label ^ 1, (label + 4) % len(ACTIONS)))
    other = records[next_actor, (label + 3) % len(ACTIONS), spectrum]
    swaps = dict(zip(SWAPS, (partner, other_action), strict=True))
    return Subject(record.name, spectrum, actor, label, record, swaps, other)


def load(spec: NetworkSpec, record: ClipRecord) -> Clip:
    """A clip as the network is tested on it."""
    return np.asarray(spec.centre_clip(record.load()))
