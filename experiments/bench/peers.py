"""Methods and measures against their peers in PyTorch: the same work, the same weights, masks and clip.

    python experiments/bench/peers.py --torch-python .venv-torch/bin/python
    python experiments/bench/peers.py --torch-python .venv-torch/bin/python --shape 4 16 16 --methods rise sidu \
        --memory 100 1000 10000 100000

RISE, SIDU, deletion and insertion as the study's code has them (`torch_study.py`), Grad-CAM against captum's, curves
against torch-cam's. Maps and areas are compared before anything is timed; then both sides take turns. `--memory` runs
RISE with each number of masks once more, each side in a process of its own, and gives the peak of that process.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from forward import Variants, check_equal, with_random_batch_norm
from peer import Peer
from safetensors.numpy import save_file
from timing import compare, exact_float32, peak_mb, table, times_in_turns, write_json

from jaxsal import Classifier, deletion, gradcam, insertion, rise, sidu
from jaxsal.core.devices import use_all_cores
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.models import ResNet3D18, init_variables, variables_to_torch

Method = Literal["rise", "sidu", "deletion", "insertion", "gradcam", "torchcam"]
MEAN, STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
THRESHOLD = 0.5  # of SIDU's masks
EAGER = "torch eager"  # what all are compared with


@dataclass(frozen=True)
class Config:
    """What is timed: a 3D-ResNet18 at full width with random weights."""

    torch_python: Path
    """Python of the peer's environment."""
    shape: tuple[int, int, int] = (16, 112, 112)
    """Frames, height and width of the clip."""
    methods: tuple[Method, ...] = ("rise", "deletion", "insertion", "gradcam", "torchcam")
    """SIDU takes 513 forward passes a turn."""
    num_masks: int = 24
    """RISE: N of a turn; the published batch."""
    num_steps: int = 17
    """Of a curve; one less should divide the number of voxels."""
    chunk_size: int = 8
    """Of our side."""
    memory: tuple[int, ...] = ()
    """The numbers of masks whose peak memory is measured."""
    rounds: int = 7
    threads: int = 2
    """Of PyTorch."""
    quick: bool = False
    """A small clip and all methods but SIDU."""
    measure: int | None = None
    """Run RISE with this number of masks in this process and print its peak, nothing else."""
    output: Path = Path("runs/bench/peers.json")


def main(config: Config) -> None:
    """Compares, times and prints a table for each method."""
    if config.quick:
        config = dataclasses.replace(config, shape=(4, 16, 16), memory=config.memory or (100,))
    use_all_cores()
    exact_float32()
    subject = Subject(config)
    if config.measure is not None:
        jax.block_until_ready(subject.rise(config.measure))
        print(json.dumps(peak_mb()))
        return
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subject.save(folder, max(config.num_masks, *config.memory, 1))
        with started_peer(config, folder) as (peer, versions):
            for method in config.methods:
                ours, theirs, unit, work = pairing(method, subject, peer)
                check_equal(ours, theirs, folder / "result.npy", 1e-3)
                seconds = times_in_turns(ours | theirs, rounds=config.rounds, pause=0.02)
                results[method] = compare(seconds, against=EAGER, work=work, unit=unit)
                print(f"\n{method}, {config.shape}\n\n{table(results[method])}\n", flush=True)
                write_json(config.output, _report(config, versions, results, []))
        rows = [memory_row(config, folder, num_masks) for num_masks in config.memory]
    for line in memory_lines(rows):
        print(line)
    write_json(config.output, _report(config, versions, results, rows))


class Subject:
    """Our side: one classifier, one clip, one map whose curves are taken."""

    def __init__(self, config: Config, width: int = 64):
        self.config = config
        shape = (*config.shape, 3)
        model = ResNet3D18(num_classes=8, width=width)
        self.variables = with_random_batch_norm(init_variables(model, jax.random.key(0), (1, *shape)))
        self.classifier = Classifier.from_model(model, self.variables, mean=MEAN, std=STD)
        generator = np.random.default_rng(2)
        self.clip = jnp.asarray(generator.random(shape), jnp.float32)
        ranks = generator.permutation(np.prod(config.shape)).reshape(config.shape)
        self.saliency = jnp.asarray(ranks / ranks.size, jnp.float32)  # no ties
        self.key = jax.random.key(3)
        self.options = dict(recipe="icpr2022", chunk_size=config.chunk_size)

    @cached_property
    def target(self) -> int:
        """The predicted class, whose Grad-CAM map is not zero everywhere."""
        return int(jnp.argmax(self.classifier(self.clip)))

    def save(self, folder: Path, num_masks: int) -> None:
        """Writes what the other side needs, with the grids and offsets of so many masks."""
        masks = RiseMasks.draw(self.key, num_masks, 0.1, self.config.shape, (2, 8, 8), "corners", "spatial")
        grids, offsets = jax.jit(jax.vmap(masks.grid_and_offset))(jnp.arange(num_masks))
        arrays = dict(clip=self.clip, saliency=self.saliency, grids=grids, offsets=offsets)
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        save_file(variables_to_torch("resnet3d18", self.variables), folder / "weights.safetensors")

    def rise(self, num_masks: int) -> jax.Array:
        """The maps of all classes."""
        return rise(self.key, self.classifier, self.clip, "all", num_masks=num_masks, **self.options)

    def sidu(self) -> jax.Array:
        """The maps of all classes."""
        return sidu(self.classifier, self.clip, "all", threshold=THRESHOLD, **self.options)

    def curve(self, measure: Callable) -> np.ndarray:
        """The scores, and their area at the end."""
        curve = measure(
            self.classifier, self.clip, self.saliency, self.target, num_steps=self.config.num_steps, **self.options
        )
        return np.append(curve.scores, curve.auc)

    def areas(self) -> np.ndarray:
        """Of deletion and insertion, both with the mean colour."""
        options = dict(num_steps=self.config.num_steps, baseline="mean", chunk_size=self.config.chunk_size)
        found = [m(self.classifier, self.clip, self.saliency, self.target, **options) for m in (deletion, insertion)]
        return np.asarray([curve.auc for curve in found])

    def gradcam(self) -> jax.Array:
        """As captum scales it."""
        return gradcam(self.classifier, self.clip, self.target, gradient_pool="mean")


def pairing(method: Method, subject: Subject, peer: Peer) -> tuple[Variants, Variants, str, float]:
    """Our variants and theirs, and what a run is counted in."""
    config = subject.config
    variants = {EAGER: "eager", "torch TorchScript": "torchscript"}
    if method == "rise":
        ask = partial(peer.ask, "rise", num_masks=config.num_masks)
        theirs = {name: partial(ask, variant=variant) for name, variant in variants.items()}
        return {"jaxsal": partial(subject.rise, config.num_masks)}, theirs, "masks", config.num_masks
    if method in ("deletion", "insertion"):
        measure = deletion if method == "deletion" else insertion
        ask = partial(peer.ask, "curve", kind=method, target=subject.target, num_steps=config.num_steps)
        theirs = {EAGER: partial(ask, variant="eager")}
        return {"jaxsal": partial(subject.curve, measure)}, theirs, "curves", 1
    if method == "sidu":
        return {"jaxsal": subject.sidu}, {EAGER: partial(peer.ask, "sidu", threshold=THRESHOLD)}, "maps", 1
    if method == "gradcam":
        return (
            {"jaxsal": subject.gradcam},
            {EAGER: partial(peer.ask, "captum_gradcam", target=subject.target)},
            "maps",
            1,
        )
    ask = partial(peer.ask, "torchcam_curves", target=subject.target, num_steps=config.num_steps)
    return {"jaxsal": subject.areas}, {EAGER: ask}, "curves", 2


@contextmanager
def started_peer(config: Config, folder: Path) -> Iterator[tuple[Peer, dict[str, str]]]:
    """The other side with the files of `folder` loaded, and its versions."""
    with Peer(config.torch_python, Path(__file__).with_name("torch_study.py"), threads=config.threads) as peer:
        yield peer, peer.ask("load", folder=str(folder), threads=config.threads)


def memory_row(config: Config, folder: Path, num_masks: int) -> dict[str, float]:
    """Peaks of both sides for a number of masks, each in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], "--measure", str(num_masks)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    with started_peer(config, folder) as (peer, _):
        peer.ask("rise", variant="eager", num_masks=num_masks)
        theirs = peer.ask("peak_mb")
    return dict(num_masks=num_masks, jaxsal_mb=json.loads(printed.splitlines()[-1]), torch_mb=theirs)


def memory_lines(rows: list[dict[str, float]]) -> list[str]:
    """The rows as a Markdown table; nothing without rows."""
    if not rows:
        return []
    lines = ["| RISE masks | jaxsal, peak of the process, MB | torch eager, MB |", "|--:|--:|--:|"]
    return lines + [f"| {row['num_masks']:,} | {row['jaxsal_mb']:.0f} | {row['torch_mb']:.0f} |" for row in rows]


def _report(config: Config, versions: dict[str, str], results: dict, memory: list[dict]) -> dict[str, Any]:
    return dict(config=dataclasses.asdict(config), peer=versions, results=results, memory=memory)


if __name__ == "__main__":
    main(tyro.cli(Config))
