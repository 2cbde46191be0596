"""Whole networks, forward and training step, against PyTorch with the same weights and clips.

    python experiments/bench/forward.py --torch-python .venv-torch/bin/python

JAX on one device, JAX with one device per core (the batch split over them), and PyTorch eager, channels last,
TorchScript (frozen, optimised for inference) and torch.compile take turns. Logits and gradients are compared before
anything is timed. Some 5 minutes on two cores; `--quick` under one.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from peer import Peer
from safetensors.numpy import save_file
from timing import compare, table, times_in_turns, write_json

from jaxsal.devices import device_mesh, on_every_device, split_axis, use_all_cores
from jaxsal.models import ResNet3D18, ResNet50, init_variables, variables_to_torch

NETWORKS = {"resnet3d18": ResNet3D18, "resnet50": ResNet50}
CASES = {  # arch, what, shape of the batch; "resnet50" is PAN's backbone, on the images of one clip's segments
    "r3d_18, 4x16x112x112": ("resnet3d18", "forward", (4, 16, 112, 112, 3)),
    "r3d_18, 1x32x224x224": ("resnet3d18", "forward", (1, 32, 224, 224, 3)),
    "ResNet-50, 8x224x224": ("resnet50", "forward", (8, 224, 224, 3)),
    "r3d_18 training step, 2x8x56x56": ("resnet3d18", "train", (2, 8, 56, 56, 3)),
}
QUICK = {
    "r3d_18, 2x8x56x56": ("resnet3d18", "forward", (2, 8, 56, 56, 3)),
    "r3d_18 training step, 2x8x56x56": ("resnet3d18", "train", (2, 8, 56, 56, 3)),
}


@dataclass(frozen=True)
class Config:
    """What is timed and against what."""

    torch_python: Path
    """Python of the peer's environment."""
    rounds: int = 7
    threads: int = 2
    """Of PyTorch."""
    compiled: bool = False
    """Time torch.compile too; it needs a C++ compiler."""
    quick: bool = False
    """One small batch, 3 rounds."""
    case: Literal["r3d", "r3d-large", "resnet50", "train"] | None = None
    """One of the four cases alone."""
    output: Path = Path("runs/bench/forward.json")


def main(config: Config) -> None:
    """Compares, times and prints a table for each case."""
    use_all_cores()
    cases = QUICK if config.quick else CASES
    if config.case and not config.quick:
        number = ["r3d", "r3d-large", "resnet50", "train"].index(config.case)
        cases = dict([list(CASES.items())[number]])
    results = {}
    for name, (arch, what, shape) in cases.items():
        rows = run_case(config, arch, what, shape)
        print(f"\n{name}\n\n{table(rows)}", flush=True)
        results[name] = rows
        write_json(config.output, dict(rounds=rows[0]["rounds"], threads=config.threads, results=results))


def run_case(config: Config, arch: str, what: str, shape: tuple[int, ...]) -> list[dict]:
    """Rows of the variants of one network on one batch."""
    model = NETWORKS[arch](num_classes=8)
    variables = init_variables(model, jax.random.key(0), shape)
    batch = jnp.asarray(np.random.default_rng(0).standard_normal(shape), jnp.float32)
    with (
        tempfile.TemporaryDirectory() as folder,
        Peer(config.torch_python, Path(__file__).with_name("torch_networks.py"), threads=config.threads) as peer,
    ):
        save_file(variables_to_torch(arch, variables), Path(folder, "weights.safetensors"))
        np.save(Path(folder, "inputs.npy"), batch)
        files = dict(weights=f"{folder}/weights.safetensors", inputs=f"{folder}/inputs.npy")
        peer.ask("load", arch=arch, threads=config.threads, **files)
        ours = training(model, variables, batch) if what == "train" else forwards(model, variables, batch)
        theirs = peers(peer, what, config.compiled)
        check_equal(ours, theirs, Path(folder, "result.npy"), 1e-2 if what == "train" else 1e-4)
        runs = {name: partial(finish, run) for name, run in ours.items()} | theirs
        seconds = times_in_turns(runs, rounds=3 if config.quick else config.rounds, pause=0.02)
    return compare(seconds, against="torch eager", work=shape[0], unit="inputs")


def finish(run: Callable[[], jax.Array]) -> None:
    """Runs and waits."""
    jax.block_until_ready(run())


def forwards(model, variables, batch) -> dict[str, Callable[[], jax.Array]]:
    """The forward on one device, and, where they divide the batch, on all of them."""
    apply = jax.jit(model.apply)
    mesh = device_mesh(multiple_of=len(batch))
    runs = {"JAX, one device": partial(apply, *jax.device_put((variables, batch), jax.devices()[0]))}
    if mesh.size > 1:
        split = (on_every_device(variables, mesh), split_axis(batch, mesh))
        runs[f"JAX, {mesh.size} devices"] = partial(apply, *split)
    return runs


def training(model, variables, batch) -> dict[str, Callable[[], jax.Array]]:
    """The gradient of the mean cross-entropy with batch norm in training; returned is that of the last kernel."""
    labels = jnp.arange(len(batch)) % model.num_classes

    def loss(params, batch):
        logits, _ = model.apply(dict(variables, params=params), batch, True, mutable=["batch_stats"])
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()

    gradient = jax.jit(jax.grad(loss))
    return {"JAX, one device": lambda: gradient(variables["params"], batch)["fc"]["kernel"].T}


def peers(peer: Peer, what: str, compiled: bool) -> dict[str, Callable[..., None]]:
    """The variants of the other side."""
    if what == "train":
        return {"torch eager": partial(peer.ask, "train")}
    names = {"eager": "eager", "channels last": "channels_last", "TorchScript": "torchscript"}
    names |= {"compile": "compile"} if compiled else {}
    return {f"torch {name}": partial(peer.ask, "forward", variant=variant) for name, variant in names.items()}


def check_equal(ours: dict, theirs: dict, file: Path, tolerance: float) -> None:
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
