"""Whole networks, forward and training step, against PyTorch with the same weights and clips.

    python experiments/bench/forward.py --torch-python .venv-torch/bin/python

JAX on one device, JAX with one device per core (the batch split over them), and PyTorch eager, channels last,
TorchScript (frozen, optimised for inference) and torch.compile (where there is a C++ compiler) take turns. Scales
and running statistics of batch norm are random, so that none of them can be left out. Logits, and the gradients of
the first and the last kernel, are compared before anything is timed. A training step is forward, backward and SGD
with momentum. Some 20 minutes on two cores; `--quick`, with small shapes, under one.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax.tree_util import DictKey, tree_map_with_path
from peer import Peer
from safetensors.numpy import save_file
from timing import compare, exact_float32, table, times_in_turns, write_json
from training_step import TrainingStep

from jaxsal.core.devices import device_mesh, on_every_device, split_axis, use_all_cores
from jaxsal.models import PAN, ResNet3D18, ResNet50, init_variables, variables_to_torch

NETWORKS = {"resnet3d18": ResNet3D18, "resnet50": ResNet50, "pan": PAN}
RATE, MOMENTUM = 0.01, 0.9
GRADIENTS = 1e-2  # of the maximum: against float64 the stem's is off by 5e-3 here, by 1e-3 with plain convolutions


class Case(NamedTuple):
    """A network, what it does, and the shape of the batch."""

    arch: str
    what: str
    shape: tuple[int, ...]


CASES = {
    "r3d_18, 4x16x112x112": Case("resnet3d18", "forward", (4, 16, 112, 112, 3)),
    "r3d_18, 1x32x224x224": Case("resnet3d18", "forward", (1, 32, 224, 224, 3)),
    "PAN-Lite, 1x32x224x224": Case("pan", "forward", (1, 32, 224, 224, 3)),
    "ResNet-50, 8x224x224": Case("resnet50", "forward", (8, 224, 224, 3)),
    "r3d_18 training step, 2x8x56x56": Case("resnet3d18", "train", (2, 8, 56, 56, 3)),
    "r3d_18 training step, 4x16x112x112": Case("resnet3d18", "train", (4, 16, 112, 112, 3)),
}
QUICK = {
    "r3d_18, 2x4x32x32": Case("resnet3d18", "forward", (2, 4, 32, 32, 3)),
    "PAN-Lite, 1x32x32x32": Case("pan", "forward", (1, 32, 32, 32, 3)),
    "r3d_18 training step, 2x8x56x56": Case("resnet3d18", "train", (2, 8, 56, 56, 3)),
}
Variants = dict[str, Callable[..., Any]]


@dataclass(frozen=True)
class Config:
    """What is timed and against what."""

    torch_python: Path
    """Python of the peer's environment."""
    rounds: int = 7
    threads: int = 2
    """Of PyTorch."""
    compiled: bool = True
    """Time torch.compile too, if there is a C++ compiler."""
    quick: bool = False
    """Small batches, without torch.compile."""
    case: str | None = None
    """Cases whose name contains this alone, such as "PAN" or "training"."""
    output: Path = Path("runs/bench/forward.json")


def main(config: Config) -> None:
    """Compares, times and prints a table for each case."""
    cases = chosen_cases(config)
    use_all_cores()
    exact_float32()
    compiled = config.compiled and not config.quick
    if compiled and not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        print("torch.compile is left out: there is no C++ compiler.")
        compiled = False
    results: dict[str, list[dict]] = {}
    for name, case in cases.items():
        results[name], versions = run_case(config, case, compiled)
        print(f"\n{name}\n\n{table(results[name])}\n", flush=True)
        write_json(config.output, dict(threads=config.threads, peer=versions, results=results))


def chosen_cases(config: Config) -> dict[str, Case]:
    """Those whose name contains what is asked for."""
    cases = QUICK if config.quick else CASES
    chosen = {name: case for name, case in cases.items() if config.case is None or config.case in name}
    if not chosen:
        raise ValueError(f"`case` must be part of one of {', '.join(map(repr, cases))}; got {config.case!r}.")
    return chosen


def run_case(config: Config, case: Case, compiled: bool) -> tuple[list[dict], dict[str, str]]:
    """Rows of the variants of one network on one batch, and the peer's versions."""
    model = NETWORKS[case.arch](num_classes=8)
    variables = with_random_batch_norm(init_variables(model, jax.random.key(0), case.shape))
    batch = jnp.asarray(np.random.default_rng(0).standard_normal(case.shape), jnp.float32)
    script = Path(__file__).with_name("torch_forward.py")
    with tempfile.TemporaryDirectory() as folder, Peer(config.torch_python, script, threads=config.threads) as peer:
        save_file(variables_to_torch(case.arch, variables), Path(folder, "weights.safetensors"))
        np.save(Path(folder, "inputs.npy"), batch)
        files = dict(weights=f"{folder}/weights.safetensors", inputs=f"{folder}/inputs.npy")
        given = dict(arch=case.arch, threads=config.threads, **files)
        if case.what == "train":
            versions = peer.ask("load_training", rate=RATE, momentum=MOMENTUM, **given)
            steps = training_steps(model, variables, batch)
            results: Variants = {name: step.gradients for name, step in steps.items()}
            ours: Variants = {name: step.run for name, step in steps.items()}
            theirs = {"torch eager": partial(peer.ask, "train", variant="eager")}
            theirs["torch channels last"] = partial(peer.ask, "train", variant="channels_last")
        else:
            versions = peer.ask("load", **given)
            results = ours = forwards(model, variables, batch)
            theirs = peers(peer, compiled)
        check_equal(results, theirs, Path(folder, "result.npy"), GRADIENTS if case.what == "train" else 1e-4)
        seconds = times_in_turns(ours | theirs, rounds=config.rounds, pause=0.02)
    return compare(seconds, against="torch eager", work=case.shape[0], unit="inputs"), versions


def with_random_batch_norm(variables: dict) -> dict:
    """Variables whose batch norms have random scales, shifts and running statistics."""
    generator = np.random.default_rng(1)

    def fill(path, array):
        names = [key.key for key in path if isinstance(key, DictKey)]
        if not any("norm" in name for name in names):
            return array
        if names[-1] in ("scale", "var"):
            return jnp.asarray(generator.uniform(0.5, 1.5, array.shape), array.dtype)
        return jnp.asarray(generator.normal(0, 0.1, array.shape), array.dtype)

    return tree_map_with_path(fill, variables)


def forwards(model, variables, batch) -> Variants:
    """The forward on one device, and, where they divide the batch, on all of them."""
    apply = jax.jit(model.apply)
    mesh = device_mesh(multiple_of=len(batch))
    runs: Variants = {"JAX, one device": partial(apply, *jax.device_put((variables, batch), jax.devices()[0]))}
    if mesh.size > 1:
        split = (on_every_device(variables, mesh), split_axis(batch, mesh))
        runs[f"JAX, {mesh.size} devices"] = partial(apply, *split)
    return runs


def training_steps(model, variables, batch) -> dict[str, TrainingStep]:
    """The training step on one device, and, where they divide the batch, on all of them."""
    make = partial(TrainingStep, model, rate=RATE, momentum=MOMENTUM)
    mesh = device_mesh(multiple_of=len(batch))
    steps = {"JAX, one device": make(*jax.device_put((variables, batch), jax.devices()[0]))}
    if mesh.size > 1:
        steps[f"JAX, {mesh.size} devices"] = make(on_every_device(variables, mesh), split_axis(batch, mesh))
    return steps


def peers(peer: Peer, compiled: bool) -> Variants:
    """The forward's variants of the other side."""
    names = {"eager": "eager", "channels last": "channels_last", "TorchScript": "torchscript"}
    names |= {"compile": "compile"} if compiled else {}
    return {f"torch {name}": partial(peer.ask, "forward", variant=variant) for name, variant in names.items()}


def check_equal(ours: Variants, theirs: Variants, file: Path, tolerance: float) -> None:
    """Raises if a variant's result differs from that of "torch eager" by more than `tolerance` of its maximum."""
    theirs["torch eager"](output=str(file))
    expected = np.load(file)
    results = {name: np.asarray(run()) for name, run in ours.items()}
    for name, run in theirs.items():
        run(output=str(file))
        results[name] = np.load(file)
    for name, result in results.items():
        error = np.abs(result - expected).max() / np.abs(expected).max()
        if not error < tolerance:
            raise ValueError(f"{name} differs from PyTorch by {error:.2g} of the maximum.")
        print(f"{name}: within {error:.1e} of the maximum of torch eager", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Config))
