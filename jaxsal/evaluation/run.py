"""What all clips of a run share, and one loaded clip."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jaxsal.core.types import ClipTree
from jaxsal.engine.chunks import ChunkSizes
from jaxsal.evaluation.plan import Task
from jaxsal.evaluation.progress import Progress
from jaxsal.evaluation.store import Store


@dataclass(frozen=True)
class Run:
    """What all clips of a run share.

    Attributes:
      store: Where results go.
      progress: Counts forward passes and says how far the run is.
      chunks: Perturbed clips in memory at once.
      clips_at_once: Clips that are done together.
      keep_maps: Whether maps are stored that scores give again at no pass.
      keep_clips: Whether the clips and their baselines are stored, for pictures.
      pass_over: Whether a clip that cannot be used is recorded and passed over; else it is an error.
      masks_per_commit: Most masks between two commits; the store decides if None.
      compared: Fingerprints of the rounded weights whose maps were compared with float32, see `precision`.
    """

    store: Store
    progress: Progress
    chunks: ChunkSizes
    clips_at_once: int = 4
    keep_maps: bool = False
    keep_clips: bool = False
    pass_over: bool = False
    masks_per_commit: int | None = None
    compared: set[str] = field(default_factory=set)


Place = tuple[str, str]
"""Kind and series of a record."""


class Opened(NamedTuple):
    """A loaded clip: its work, its frames, its fingerprint, and its records in the store."""

    task: Task
    clip: ClipTree
    digest: str
    known: Sequence[Place] = ()
