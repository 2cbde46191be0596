"""What a command would do: clips, forward passes, training steps and files, worked out without doing any of it."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal.core.fingerprints import fingerprint
from jaxsal.evaluation.evaluate import Case, file_name, identify
from jaxsal.evaluation.explain import curve_options, rise_overrides
from jaxsal.keywords import resolve_options
from jaxsal.metrics.steps import count_steps
from jaxsal.options import MEASURES, ExplainOptions, TrainOptions
from jaxsal.training.checkpoint import latest_step, load_checkpoint
from jaxsal.training.networks import NetworkSpec

FOLDER = ("explanations", "results.csv", "table.csv", "table.md", "table.png", "run.json", "overlays")


@dataclass(frozen=True)
class Plan:
    """What a command would do.

    Attributes:
      output: The folder it writes to.
      files: What it leaves there.
      clips: Clips to explain.
      clips_done: Those of them that an earlier start has explained.
      passes: Forward passes that are left, at most: channels of SIDU with the same mask are scored once, and refined
        curves leave steps out.
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
    notes: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        """The plan in lines."""
        lines = [*self.notes]
        if self.steps:
            lines.append(f"Training: {self.steps:,} steps, {self.steps_done:,} of them done.")
        if self.clips:
            lines.append(f"Clips to explain: {self.clips:,}, {self.clips_done:,} of them done.")
            lines.append(f"Forward passes to do: at most {self.passes:,}.")
        lines.append(f"Writes {', '.join(self.files)} to {self.output}.")
        return "\n".join([*lines, "Nothing was written or computed (--dry-run)."])

    @property
    def data(self) -> dict[str, Any]:
        """The plan, of kinds that JSON has."""
        return dataclasses.asdict(self) | dict(output=str(self.output), dry_run=True)


def plan_explaining(
    spec: NetworkSpec,
    variables: Any,
    cases: Sequence[Case],
    options: ExplainOptions,
    output: Path,
    **more: Any,
) -> Plan:
    """The plan of explaining some clips.

    Args:
      spec: Whose classifier is explained.
      variables: Its weights; None where they are not trained yet, so that nothing is done.
      cases: The clips.
      options: How.
      output: Folder of the run.
      **more: Further fields of the plan.
    """
    done = 0
    if variables is not None:
        classifier = spec.classifier(variables)
        weights, directory = fingerprint(classifier), output / "explanations"
        identities = [identify(classifier, options, case, weights=weights) for case in cases]
        done = sum(_is_explained(directory, case, known) for case, known in zip(cases, identities, strict=True))
    passes = (len(cases) - done) * sum(passes_per_clip(spec, options).values())
    curves = [f"curves-{spectrum}.png" for spectrum in sorted({case.spectrum for case in cases})]
    files = (*more.pop("files", ()), *FOLDER, *curves)
    return Plan(output, files, clips=len(cases), clips_done=done, passes=passes, **more)


def plan_training(spec: NetworkSpec, options: TrainOptions, num_clips: int, output: Path, **more: Any) -> Plan:
    """The plan of a training on so many clips; steps of an earlier start count where it is of the same network.

    Raises:
      ValueError: If `output` holds the checkpoint of another network.
    """
    steps = options.on_clips(num_clips).num_steps
    return Plan(
        output, ("checkpoints", "history.jsonl"), steps=steps, steps_done=steps_taken(spec, output, steps), **more
    )


def steps_taken(spec: NetworkSpec, output: Path, steps: int) -> int:
    """The steps that the newest checkpoint of a training's folder has taken, up to `steps`."""
    folder = output / "checkpoints"
    taken = latest_step(folder)
    if taken is None:
        return 0
    load_checkpoint(folder, spec=spec)
    return min(taken, steps)


def passes_per_clip(spec: NetworkSpec, options: ExplainOptions) -> dict[str, int]:
    """Forward passes of explaining one clip, at most, by what they are for."""
    passes = {"prediction": 1}
    if "gradcam" in options.method:
        passes["gradcam"] = 1
    if "rise" in options.method:
        passes["rise"] = resolve_options("rise", options.recipe, rise_overrides(options)).num_masks
    if "sidu" in options.method:
        passes["sidu"] = 1 + _num_channels(spec)
    steps = sum(count_steps(spec.clip_shape, spec.num_slices, curve_options(options, name)) for name in MEASURES)
    return passes | {"curves": steps * (len(options.method) + len(options.references))}


@cache
def _num_channels(spec: NetworkSpec) -> int:
    """d, the channels of the activations, by shapes alone."""
    clip = jax.ShapeDtypeStruct(spec.clip_shape, jnp.float32)
    initialise = partial(spec.model().init, jax.random.key(0))
    variables = jax.eval_shape(initialise, jax.ShapeDtypeStruct((1, *spec.clip_shape), jnp.float32))
    return jax.eval_shape(lambda v, c: spec.classifier(v).features(c), variables, clip).shape[-1]


def _is_explained(directory: Path, case: Case, identity: dict[str, Any]) -> bool:
    """Whether the file of a clip's explanation is there and of the same options and weights; the clip is not read."""
    try:
        with np.load(directory / f"{file_name(case.name)}.npz", allow_pickle=False) as file:
            found = json.loads(str(file["header"]))["identity"]
    except (OSError, ValueError, KeyError):
        return False
    wanted = json.loads(json.dumps(identity))
    return all(found.get(name) == value for name, value in wanted.items())
