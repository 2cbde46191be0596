"""What the verbs of the command line do with trained networks and with a user's own recordings."""

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jaxsal.checkpoint import Checkpoint, load_checkpoint
from jaxsal.checks import check_choice, check_positive
from jaxsal.cli import Evaluate, Explain, Train
from jaxsal.datasets.catalog import open_clips
from jaxsal.datasets.clips import read_frames
from jaxsal.datasets.pipeline import load_clips
from jaxsal.datasets.records import SPECTRA, TRAINING_SPECTRA
from jaxsal.demo import print_accuracy, test_cases
from jaxsal.evaluate import Case, explain_all
from jaxsal.explain import Explanation, check_options
from jaxsal.networks import NetworkSpec
from jaxsal.report.folder import write_folder
from jaxsal.train import accuracy_by_spectrum, train


def train_command(command: Train, line: str) -> None:
    """Trains on one split, tests on the other, and prints the accuracy of every spectrum there is."""
    check_choice("spectra", command.spectra, tuple(TRAINING_SPECTRA))
    clip_set = open_clips(command.data, height=command.size, seed=command.options.seed)
    spec = NetworkSpec(
        clip_set.classes,
        command.spectra,
        arch=command.arch,
        width=command.width,
        num_frames=command.num_frames,
        size=command.size,
        crop=command.crop,
    )
    shared: Any = dict(size=spec.size, num_frames=spec.num_frames, progress=True)
    chosen = clip_set.select(split="train", spectra=TRAINING_SPECTRA[spec.spectra])
    test_clips = load_clips(clip_set.select(split="test"), **shared)  # an unreadable clip must not waste a training
    trained = train(spec, command.options, load_clips(chosen, **shared), command.output, progress=True)
    accuracy = accuracy_by_spectrum(spec, trained.variables, test_clips)
    print_accuracy(accuracy)
    chance = 1 / len(spec.classes)
    for spectrum, (share, count) in accuracy.items():
        print(f"{spec.spectra} network, {spectrum} clips: test accuracy {share:.3f} of {count}, chance {chance:.3f}")
    print(f"Checkpoint: {command.output}")


def explain_command(command: Explain, line: str) -> None:
    """Explains one recording in one spectrum or both, prints the prediction and the measures."""
    check_options(command.options)
    check_choice("spectrum", command.spectrum, SPECTRA)
    check_choice("animation", command.animation, ("gif", "mp4"))
    if command.infrared is not None and command.spectrum == "IR":
        raise ValueError("`--infrared` must come with a visible CLIP; got --spectrum IR.")
    checkpoint = open_checkpoint(command.checkpoint)
    spec = checkpoint.spec
    target = _class_number(command.target, spec.classes)
    recordings = {command.spectrum: command.clip}
    if command.infrared is not None:
        recordings["IR"] = command.infrared
    cases = []
    for spectrum, path in sorted(recordings.items()):
        if spectrum not in TRAINING_SPECTRA[spec.spectra]:
            print(f"jaxsal: note: the network was trained on {spec.spectra}, not on {spectrum}.", file=sys.stderr)
        value_range = command.value_range if spectrum == "IR" or command.infrared is None else None
        frames = read_frames(path, start=command.start, stop=command.stop, value_range=value_range)
        name = f"{Path(path).stem}-{spectrum}"
        cases.append(Case(name, spectrum, -1, partial(spec.centre_clip, frames), target))
    classifier = spec.classifier(checkpoint.variables)
    found = explain_all(classifier, cases, command.options, command.output / "explanations", progress=True)
    made_by = _made_by(line, command.options, checkpoint)
    table = write_folder(command.output, found, spec.classes, made_by, animation=command.animation)
    for explanation in found:
        _print_prediction(explanation, spec.classes)
    print(f"\n{table}\nTables, curves and overlays: {command.output}")


def evaluate_command(command: Evaluate, line: str) -> None:
    """Explains test clips of every spectrum that the set has, and prints the table."""
    check_options(command.options)
    check_positive("clips_per_spectrum", command.clips_per_spectrum)
    checkpoint = open_checkpoint(command.checkpoint)
    spec = checkpoint.spec
    clip_set = open_clips(command.data, height=spec.size, seed=checkpoint.origin["options"]["seed"])
    if clip_set.classes != spec.classes:
        raise ValueError(f"`data` must have the checkpoint's classes {spec.classes}; got {clip_set.classes}.")
    cases = test_cases(spec, clip_set, command.clips_per_spectrum)
    classifier = spec.classifier(checkpoint.variables)
    found = explain_all(classifier, cases, command.options, command.output / "explanations", progress=True)
    table = write_folder(command.output, found, spec.classes, _made_by(line, command.options, checkpoint))
    print(f"{table}\nTables, curves and overlays: {command.output}")


def open_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint of a run's folder, or of the folder of checkpoints itself."""
    inner = folder / "checkpoints"
    return load_checkpoint(inner if inner.is_dir() else folder)


def _class_number(target: str | None, classes: tuple[str, ...]) -> int | None:
    """A class by name or number, checked."""
    if target is None:
        return None
    if target in classes:
        return classes.index(target)
    if target.isdigit() and int(target) < len(classes):
        return int(target)
    raise ValueError(f"`target` must be one of {classes} or a number below {len(classes)}; got {target!r}.")


def _made_by(line: str, options: Any, checkpoint: Checkpoint) -> dict[str, Any]:
    return dict(
        command=line,
        seed=options.seed,
        explaining=dataclasses.asdict(options),
        network=dataclasses.asdict(checkpoint.spec),
        training=checkpoint.origin,
        step=checkpoint.step,
    )


def _print_prediction(explanation: Explanation, classes: tuple[str, ...]) -> None:
    order = np.argsort(-explanation.probabilities)[:3]
    guesses = ", ".join(f"{classes[k]} {explanation.probabilities[k]:.2f}" for k in order)
    print(f"{explanation.name}: {guesses}; explained: {classes[explanation.target]}")
