"""What the steps of `accelerator.py` share, and the first: what is the compiled program?"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxsal import Classifier
from jaxsal.core.devices import device_mesh, on_every_device, split_axis
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch, prepare
from jaxsal.engine.masks import Families, MaskFamily
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import Program, _arguments, score_chunks
from jaxsal.models import init_variables
from jaxsal.training.networks import NetworkSpec


class Table(NamedTuple):
    """What a step finds.

    Attributes:
      rows: Columns by name.
      follows: What follows from them, one sentence each.
    """

    rows: list[dict[str, Any]]
    follows: list[str]


@dataclass(frozen=True)
class Bench:
    """What all steps share.

    Attributes:
      quick: Whether networks have width 4.
      limit: When the time is over, as `time.monotonic` counts.
    """

    quick: bool
    limit: float

    def left(self) -> float:
        """Seconds."""
        return self.limit - time.monotonic()

    @property
    def width(self) -> int:
        """Of all networks."""
        return 4 if self.quick else 64

    @property
    def shape(self) -> tuple[int, int]:
        """Frames, and height and width, of the clips that are timed."""
        return (4, 16) if self.quick else (16, 112)


def network(arch: str, width: int, frames: int, crop: int) -> tuple[Classifier, np.ndarray]:
    """A classifier with seeded weights, and a seeded clip; the same on every platform."""
    spec = NetworkSpec(tuple("abcdefgh"), arch=arch, width=width, num_frames=frames, size=crop, crop=crop)
    variables = init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape))
    return spec.classifier(variables), np.random.default_rng(0).random(spec.clip_shape, np.float32)


def scoring(bench: Bench, classifier: Classifier, clip: np.ndarray, chunk_size: int) -> tuple[Any, tuple[Any, ...]]:
    """The lowered loop of RISE, and arguments that score one chunk."""
    batch: Batch = prepare(classifier, [clip])
    family: MaskFamily = RiseMasks.draw(jax.random.key(1), 4096, 0.5, batch.shape, (2, 8, 8), "mirror", "own")
    mesh = device_mesh(chunk_size)
    rows = np.zeros((1, chunk_size, 2), np.int32), np.arange(chunk_size, dtype=np.int32)[None]
    arguments = _arguments(batch, Families.of([family]), Baseline.of("mean"), mesh)
    arguments = (*arguments, *split_axis(rows, mesh, axis=1), on_every_device(np.int32(1), mesh))
    return score_chunks.lower(*arguments, Program(batch.split.static)), arguments


LAYOUT_FLAGS: dict[str, dict[str, bool | str]] = {
    "NHWC": {"xla_gpu_force_conv_nhwc": True},
    "NCHW": {"xla_gpu_force_conv_nchw": True},
}


def program(bench: Bench) -> Table:
    """The compiled loop: its convolutions, copies and transposes; its speed with and without flags of layouts."""
    size = 4 if bench.quick else 32
    lowered, arguments = scoring(bench, *network("resnet3d18", bench.width, *bench.shape), size)
    rows, flags = [], LAYOUT_FLAGS if jax.default_backend() == "gpu" else {}
    for name, options in {"default": {}, **flags}.items():
        with _refused(name, rows):
            compiled = lowered.compile(compiler_options=options) if options else lowered.compile()
            seconds = median_seconds(partial(compiled, *arguments))
            rows.append(dict(layout=name, masks_per_second=size / seconds, **of_hlo(compiled.as_text())))
    timed = [row for row in rows if "masks_per_second" in row]
    best = max(timed, key=lambda row: row["masks_per_second"])
    return Table(rows, [f"The fastest layout is {best['layout']}, {best['masks_per_second']:.4g} masks/s."])


@contextlib.contextmanager
def _refused(name: str, rows: list[dict[str, Any]]) -> Iterator[None]:
    """Records a flag that this compiler does not know."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        rows.append(dict(layout=name, refused=str(error).splitlines()[0][:120]))


def of_hlo(text: str) -> dict[str, Any]:
    """Of an optimised program: convolutions by layout, and copies and transposes with the most numbers in one."""
    labels = re.findall(r"dim_labels=(\S+?)[,\s]", text)
    moved = re.findall(r"= \w+\[([\d,]*)\]\S* (?:copy|transpose)\(", text)
    sizes = [int(np.prod([int(length) for length in shape.split(",") if length])) for shape in moved]
    kinds = {label: labels.count(label) for label in dict.fromkeys(labels)}
    return dict(convolutions=str(kinds), copies_and_transposes=len(sizes), largest_copy=max(sizes, default=0))


def median_seconds(run: Callable[[], Any], rounds: int = 3) -> float:
    """Of some runs after one that is not timed."""
    seconds: Sequence[float] = [_seconds(run) for _ in range(rounds + 1)][1:]
    return float(np.median(seconds))


def _seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - began
