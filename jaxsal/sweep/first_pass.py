"""What one pass of each clip says, for several clips of a sweep at once, laid over the devices."""

import dataclasses
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxsal.evaluate import Case
from jaxsal.saliency.gradcam import gradcam_clips
from jaxsal.side_by_side import logits_of_clips
from jaxsal.sweep.cells import Cell
from jaxsal.sweep.plan import Task


class Opened(NamedTuple):
    """A clip that is there: what is to do on it, the clip, and its SHA-256."""

    task: Task
    clip: Float[jax.Array, "T H W C"]
    digest: str


class FirstPass(NamedTuple):
    """The logits of an untouched clip; and by path of the Grad-CAM cells that lack it, the map and its seconds."""

    logits: Float[np.ndarray, " K"]
    maps: dict[str, tuple[Float[np.ndarray, "Tm H W"], float]]


def first_passes(opened: Sequence[Opened]) -> list[FirstPass]:
    """Of clips of one group and one shape."""
    classifier = opened[0].task.group.network.classifier
    logits = logits_of_clips(classifier, [one.clip for one in opened])
    found = [FirstPass(of_clip, {}) for of_clip in logits]
    cells = {cell.path: cell for one in opened for cell in one.task.cells if cell.method == "gradcam"}
    for path, cell in cells.items():
        concerned = [number for number, one in enumerate(opened) if cell in one.task.cells]
        clips = [opened[number].clip for number in concerned]
        targets = [explained_class(cell, opened[number].task.case, logits[number]) for number in concerned]
        options = {field.name: getattr(cell.options, field.name) for field in dataclasses.fields(cell.options)}
        start = time.perf_counter()
        maps = gradcam_clips(classifier, clips, targets, recipe=cell.recipe, **options)
        seconds = (time.perf_counter() - start) / len(clips)
        for number, saliency in zip(concerned, maps, strict=True):
            found[number].maps[path] = saliency, seconds
    return found


def explained_class(cell: Cell, case: Case, clip_logits: Float[np.ndarray, " K"]) -> int:
    """The class that a cell explains of a clip."""
    if cell.target == "predicted":
        return int(clip_logits.argmax())
    return case.label if cell.target == "label" else int(cell.target)
