"""What the steps of `accelerator.py` share: their networks, the loop that scores masks, and how it is timed."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxsal import Classifier
from jaxsal.core.callables import call_each, split_callable
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import CHUNKS_PER_PROGRAM, lowered_loop
from jaxsal.models import init_variables
from jaxsal.training.networks import NetworkSpec

Row = dict[str, Any]
"""Of a table, columns by name; what a benchmark finds is written as JSON."""


@dataclass(frozen=True)
class Bench:
    """What all steps share.

    Attributes:
      networks: Architectures whose numbers are compared; the first is timed.
      quick: Whether networks have width 4 and clips are small.
      torch_python: Python of PyTorch's environment, if any.
      output: Folder of what is written.
    """

    networks: tuple[str, ...]
    quick: bool
    torch_python: Path | None = None
    output: Path = Path()

    @property
    def width(self) -> int:
        """Of all networks."""
        return 4 if self.quick else 64

    @property
    def shape(self) -> tuple[int, int]:
        """Frames, and height and width, of the clips that are timed."""
        return (4, 16) if self.quick else (16, 112)

    @property
    def chunk_size(self) -> int:
        """Masks at once where no other number is said."""
        return 4 if self.quick else 32

    @property
    def block(self) -> int:
        """Masks of a whole RISE run."""
        return 16 if self.quick else 1000

    def subject(self) -> tuple[Classifier, np.ndarray]:
        """The network and the clip that are timed."""
        return network(self.networks[0], self.width, *self.shape)


@cache
def network(arch: str, width: int, frames: int, crop: int) -> tuple[Classifier, np.ndarray]:
    """A classifier with seeded weights, and a seeded clip; the same on every platform."""
    spec = NetworkSpec(tuple("abcdefgh"), arch=arch, width=width, num_frames=frames, size=crop, crop=crop)
    variables = init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape))
    return spec.classifier(variables), np.random.default_rng(0).random(spec.clip_shape, np.float32)


class Loop:
    """The loop of RISE that the engine compiles, for one classifier, clip and chunk size."""

    def __init__(self, classifier: Classifier, clip: np.ndarray, chunk_size: int):
        """Lowers it; nothing is compiled yet."""
        batch = prepare(classifier, [clip])
        family = RiseMasks.draw(jax.random.key(1), 4096, 0.5, batch.shape, (2, 8, 8))
        self.lowered, self.arguments = lowered_loop(batch, family, Baseline.of("mean"), chunk_size=chunk_size)
        self.chunk_size = chunk_size

    def seconds_per_mask(self, compiled: jax.stages.Compiled, masks: int = 256) -> float:
        """The median over some calls that score about so many masks, at most what a program holds."""
        chunks = max(1, min(CHUNKS_PER_PROGRAM, masks // self.chunk_size))
        arguments = (*self.arguments[:-1], jax.device_put(np.int32(chunks), self.arguments[-1].sharding))
        return median_seconds(lambda: compiled(*arguments)) / (chunks * self.chunk_size)


def gflop(classifier: Classifier, clip: np.ndarray) -> float:
    """Of one pass, as XLA counts the lowered program of the platform."""
    arrays, static = split_callable(classifier)
    cost = call_each.lower(arrays, clip[None], static).cost_analysis()
    return float((cost or {}).get("flops", 0.0)) / 1e9


def median_seconds(run: Callable[[], Any], rounds: int = 3) -> float:
    """Of some runs after one that is not timed."""
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:]))


@contextlib.contextmanager
def failures_as(row: Row) -> Iterator[Row]:
    """The row to fill; where the compiler refuses a program or memory runs out, the row says so instead."""
    try:
        yield row
    except jax.errors.JaxRuntimeError as error:
        row["refused"] = str(error).splitlines()[0][:120]


def software() -> dict[str, str]:
    """Versions of what computes, of the driver too, and the clocks of a GPU."""
    prefixes = ("jax", "libtpu", "nvidia-", "flax")
    named = {one.metadata["Name"]: one.version for one in distributions() if one.metadata["Name"].startswith(prefixes)}
    found = {"packages": ", ".join(f"{name} {version}" for name, version in sorted(named.items()))}
    found["platform"] = jax.local_devices()[0].client.platform_version.replace("\n", "; ")
    if shutil.which("nvidia-smi"):
        fields = "name,driver_version,memory.total,clocks.sm,clocks.max.sm,clocks.mem,power.limit"
        command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            printed = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
            found[fields] = printed.strip().replace("\n", "; ")
    return found
