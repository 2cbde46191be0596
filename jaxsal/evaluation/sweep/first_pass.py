"""What one pass of each clip says, for several clips of a sweep at once, laid over the devices."""

import dataclasses
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxsal.classifier import Classifier
from jaxsal.engine.side_by_side import logits_of_clips
from jaxsal.evaluation.evaluate import Case
from jaxsal.evaluation.sweep.cells import Cell
from jaxsal.evaluation.sweep.plan import Task
from jaxsal.evaluation.sweep.programs import Scorer
from jaxsal.metrics.curves import Curve
from jaxsal.metrics.many import measure_maps
from jaxsal.options import MEASURES
from jaxsal.saliency.gradcam import gradcam_clips


class Opened(NamedTuple):
    """A clip that is there: what is to do on it, the clip, and its SHA-256."""

    task: Task
    clip: Float[jax.Array, "T H W C"]
    digest: str


class Made(NamedTuple):
    """Grad-CAM's map of a clip, the seconds it took, and its curves by measure where they were drawn with others'."""

    saliency: Float[np.ndarray, "Tm H W"]
    seconds: float
    curves: dict[str, Curve]


class FirstPass(NamedTuple):
    """The logits of an untouched clip; and by path of the Grad-CAM cells that lack it, what was made."""

    logits: Float[np.ndarray, " K"]
    made: dict[str, Made]


def first_passes(opened: Sequence[Opened], scorer: Scorer, curve_steps: int) -> list[FirstPass]:
    """Of clips of one group and one shape; of several, the curves of Grad-CAM too, whose few steps they fill up.

    Args:
      opened: The clips, no more than this process has devices.
      scorer: Chooses how many steps are scored at once.
      curve_steps: Scores of a curve; 0 draws none.
    """
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
        curves: list[dict[str, Curve]] = [{} for _ in clips]
        if curve_steps and len(clips) > 1 and np.isfinite(maps).all():
            curves = _curves(cell, classifier, clips, maps, targets, scorer, curve_steps)
        for number, saliency, of_clip in zip(concerned, maps, curves, strict=True):
            found[number].made[path] = Made(saliency, seconds, of_clip)
    return found


def _curves(
    cell: Cell,
    classifier: Classifier,
    clips: Sequence[Float[jax.Array, "T H W C"]],
    maps: Float[np.ndarray, "B Tm H W"],
    targets: Sequence[int],
    scorer: Scorer,
    curve_steps: int,
) -> list[dict[str, Curve]]:
    """Both curves of one map of each clip; of fewer clips than devices some are taken again, for the same program."""
    filled = np.minimum(np.arange(max(len(clips), jax.local_device_count())), len(clips) - 1)
    found: list[dict[str, Curve]] = [{} for _ in clips]
    for measure in MEASURES:
        draw = partial(
            measure_maps,
            measure,
            classifier,
            [clips[number] for number in filled],
            [{measure: maps[number]} for number in filled],
            [targets[number] for number in filled],
            recipe=cell.recipe,
            num_steps=curve_steps,
        )
        for of_clip, drawn in zip(found, scorer.run(f"{measure} of clips", clips[0], draw), strict=False):
            of_clip |= drawn
    return found


def explained_class(cell: Cell, case: Case, clip_logits: Float[np.ndarray, " K"]) -> int:
    """The class that a cell explains of a clip."""
    if cell.target == "predicted":
        return int(clip_logits.argmax())
    return case.label if cell.target == "label" else int(cell.target)
