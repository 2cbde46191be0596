"""The main job on the embedded set: train on both spectra, explain held-out actors, measure the maps."""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from jaxsal.core.checks import check_choice, check_positive
from jaxsal.datasets.catalog import SYNTHETIC, open_clips
from jaxsal.datasets.pipeline import load_clips
from jaxsal.datasets.records import ClipSet
from jaxsal.evaluation.evaluate import Case, explain_all, select_cases
from jaxsal.evaluation.plan import Plan, plan_explaining, steps_taken
from jaxsal.evaluation.provenance import made_by
from jaxsal.metrics.summary import summarise
from jaxsal.options import ExplainOptions, TrainOptions
from jaxsal.report.folder import write_folder
from jaxsal.report.tables import to_records
from jaxsal.training.checkpoint import load_checkpoint
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.train import accuracy_by_spectrum, train


class Preset(NamedTuple):
    """A small network that learns the embedded set on a CPU, and how it is trained and explained.

    Attributes:
      network: Fields of `NetworkSpec` beside classes and spectra.
      training: How it is trained.
      explaining: How its clips are explained.
    """

    network: dict[str, Any]
    training: TrainOptions
    explaining: ExplainOptions


EXPLAINING = ExplainOptions(
    num_masks=160,
    estimator="centered",
    num_steps=15,
    deletion_baseline="blur",  # with the mean colour any removal, random too, looks strange and ends the prediction
    chunk_size=8,
)
PRESETS = {
    "resnet3d18": Preset(
        dict(arch="resnet3d18", width=8, num_frames=16, size=64, crop=56),
        TrainOptions(num_steps=640, batch_size=8, learning_rate=3e-3, weight_decay=0.05, save_every=160),
        dataclasses.replace(EXPLAINING, threshold=3.0),  # about the upper seventh of this network's activations
    ),
    "pan": Preset(
        dict(arch="pan", width=8, num_frames=32, size=64, crop=56),
        TrainOptions(num_steps=1200, batch_size=8, learning_rate=3e-3, weight_decay=0.05, save_every=200),
        EXPLAINING,
    ),
}


class Demo(NamedTuple):
    """The demo with all that was asked for.

    Attributes:
      spec: The network, for both spectra.
      clip_set: The embedded set.
      training: How the network is trained.
      explaining: How clips are explained.
      cases: The test clips to explain.
    """

    spec: NetworkSpec
    clip_set: ClipSet
    training: TrainOptions
    explaining: ExplainOptions
    cases: list[Case]


def make_demo(
    *, network: str = "resnet3d18", seed: int = 0, num_steps: int | None = None, clips_per_spectrum: int = 16
) -> Demo:
    """The demo's network, clips and options; nothing is rendered yet.

    Args:
      network: Which of `PRESETS`.
      seed: Of the set, the training and the explaining.
      num_steps: Training steps; those of the preset if None.
      clips_per_spectrum: Test clips to explain, of each spectrum; 64 at most.

    Raises:
      ValueError: If the network is unknown or a number is below 1.
    """
    check_positive("clips_per_spectrum", clips_per_spectrum)
    check_choice("network", network, tuple(PRESETS))
    preset = PRESETS[network]
    training = dataclasses.replace(preset.training, seed=seed)
    if num_steps is not None:
        training = dataclasses.replace(training, num_steps=num_steps)
    fields = preset.network
    clip_set = open_clips(SYNTHETIC, height=fields["size"], num_frames=fields["num_frames"], seed=seed)
    spec = NetworkSpec(clip_set.classes, "IRTV", **fields)
    cases = select_cases(spec, clip_set.select(split="test"), clips_per_spectrum)
    return Demo(spec, clip_set, training, dataclasses.replace(preset.explaining, seed=seed), cases)


def run_demo(demo: Demo, output: Path, *, command: str = "") -> dict[str, Any]:
    """Trains a small IRTV network on the embedded set and explains clips of actors it has not seen.

    A run that was killed goes on where it was when it is started again with the same output folder.

    Args:
      demo: Of `make_demo`.
      output: The folder of the run: checkpoints, explanations, table, curves, overlays.
      command: What was typed, for run.json.

    Returns:
      Test accuracy by spectrum, the table as Markdown and as rows of data, and seconds by stage.

    Raises:
      ValueError: If `output` holds another training.
    """
    spec, clip_set = demo.spec, demo.clip_set
    seconds, start = {}, time.perf_counter()
    cutting: Any = dict(size=spec.size, sampler=spec.sampler, antialias=spec.antialias)
    splits = {split: load_clips(clip_set.select(split=split), **cutting, progress=True) for split in ("train", "test")}
    seconds["render"], start = time.perf_counter() - start, time.perf_counter()
    trained = train(spec, demo.training, splits["train"], output, progress=True)
    accuracy = accuracy_by_spectrum(spec, trained.variables, splits["test"])
    seconds["train"], start = time.perf_counter() - start, time.perf_counter()
    print_accuracy(accuracy)

    classifier = spec.classifier(trained.variables)
    explanations = explain_all(classifier, demo.cases, demo.explaining, output / "explanations", progress=True)
    seconds["explain"], start = time.perf_counter() - start, time.perf_counter()
    how = made_by(command, demo.explaining, trained, accuracy=accuracy)
    table = write_folder(output, explanations, spec.classes, how)
    seconds["report"] = time.perf_counter() - start
    rows = to_records(summarise([row for explanation in explanations for row in explanation.results()]))
    return dict(accuracy=accuracy, table=table, rows=rows, seconds=seconds)


def plan_demo(demo: Demo, output: Path) -> Plan:
    """What `run_demo` would do.

    Raises:
      ValueError: If `output` holds the checkpoint of another network.
    """
    steps = demo.training.num_steps
    done = steps_taken(demo.spec, output, steps)
    variables = load_checkpoint(output / "checkpoints").variables if done == steps else None
    training: Any = dict(files=("checkpoints", "history.jsonl"), steps=steps, steps_done=done)
    return plan_explaining(demo.spec, variables, demo.cases, demo.explaining, output, **training)


def print_accuracy(accuracy: dict[str, tuple[float, int]]) -> None:
    """Says the test accuracy of each spectrum on standard error."""
    for spectrum, (share, count) in accuracy.items():
        print(f"test accuracy {spectrum}: {share:.3f} of {count} clips", file=sys.stderr)
