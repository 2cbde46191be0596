"""What a command would do, for --dry-run: clips, forward passes, training steps and files; nothing of it is done."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import PyTree

from jaxsal.evaluation.cells import Case, class_against
from jaxsal.evaluation.explain import FOLDER, explaining_groups
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.store import Store
from jaxsal.training.checkpoint import latest_step, load_checkpoint
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.options import TrainOptions

FILES = (FOLDER, "results.csv", "table.csv", "table.md", "table.tex", "table.png", "run.json")


@dataclass(frozen=True)
class Outline:
    """What a command would do.

    Attributes:
      output: The folder it writes to.
      files: What it leaves there.
      clips: Clips to explain.
      clips_done: Those of them that an earlier start has explained.
      passes: Forward passes that are left, at most.
      steps: Training steps.
      steps_done: Those of them that an earlier start has taken.
      notes: Further lines.
    """

    output: Path
    files: tuple[str, ...]
    clips: int = 0
    clips_done: int = 0
    passes: int = 0
    steps: int = 0
    steps_done: int = 0
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The outline in lines."""
        lines = [*self.notes]
        if self.steps:
            lines.append(f"Training: {self.steps:,} step{'s' * (self.steps > 1)}, {self.steps_done:,} of them done.")
        if self.clips:
            lines.append(f"Clips to explain: {self.clips:,}, {self.clips_done:,} of them done.")
            lines.append(f"Forward passes to do: at most {self.passes:,}.")
        lines.append(f"Writes {', '.join(self.files)} to {self.output}.")
        return "\n".join([*lines, "Nothing was written or computed (--dry-run)."])

    @property
    def data(self) -> dict[str, Any]:
        """The outline, of kinds that JSON has."""
        return dataclasses.asdict(self) | dict(output=str(self.output), dry_run=True)


def outline_explaining(
    spec: NetworkSpec,
    variables: PyTree | None,
    cases: Sequence[Case],
    options: ExplainOptions,
    output: Path,
    *,
    files: tuple[str, ...] = (),
    pictures: tuple[str, ...] = ("overlays",),
    keep_clips: bool = True,
    steps: int = 0,
    steps_done: int = 0,
) -> Outline:
    """The outline of explaining some clips, after a training or not.

    Args:
      spec: The network.
      variables: Its weights; None where they are not trained yet, so that nothing is done.
      cases: The clips.
      options: How they are explained.
      output: Folder of the run.
      files: What else is written.
      pictures: What is drawn of the clips.
      keep_clips: Whether the clips are stored, too.
      steps: Training steps.
      steps_done: Those of them that are taken.
    """
    classifier = spec.untrained() if variables is None else spec.classifier(variables)
    channels = tuple(spec.channels.items())
    class_against(options.against, spec.names)
    groups = explaining_groups(classifier, spec.clip_shape, cases, options, channels=channels)
    store = Store(str(output / FOLDER), create=True) if variables is not None and (output / FOLDER).is_dir() else None
    plan, _ = make_plan(groups, store, keep_clips=keep_clips)
    several = len(cases) > len({case.spectrum for case in cases})
    contrasts = ["contrasts.csv"] if several and options.controls else []
    curves = [f"curves-{spectrum}.png" for spectrum in sorted({case.spectrum for case in cases})]
    return Outline(
        output,
        (*files, *FILES, *pictures, *contrasts, *curves),
        plan.clips,
        plan.clips_done,
        plan.passes,
        steps,
        steps_done,
    )


def outline_training(
    spec: NetworkSpec, options: TrainOptions, num_clips: int, output: Path, *, notes: tuple[str, ...] = ()
) -> Outline:
    """Outlines a training; steps of an earlier start count if its network is the same.

    Raises:
      ValueError: If `output` holds the checkpoint of another network.
    """
    steps = 1 if options.trained == "head" else options.on_clips(num_clips).num_steps  # a head is fitted at once
    taken = steps_taken(spec, output, steps)
    return Outline(output, ("checkpoints", "history.jsonl"), steps=steps, steps_done=taken, notes=notes)


def steps_taken(spec: NetworkSpec, output: Path, steps: int) -> int:
    """The steps that the newest checkpoint of a training's folder has taken, up to `steps`."""
    folder = output / "checkpoints"
    taken = latest_step(folder)
    if taken is None:
        return 0
    load_checkpoint(folder, spec=spec)
    return min(taken, steps)
