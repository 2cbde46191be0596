"""How much of each method is not the network: every method against the same number of bare forward passes.

    python experiments/bench/overhead.py
    python experiments/bench/overhead.py --case r3d-16x112
    python experiments/bench/overhead.py --case r3d-16x64 --methods RISE --processor
    python experiments/bench/overhead.py --quick

A method and its bare passes take turns, in batches of the same size on the same devices. RISE is the whole `rise(...)`,
with its fingerprints, ledger and read-out, against N passes and the one of the untouched clip; SIDU against as many
passes as it scores distinct masks, and the one that gives them; KernelSHAP, occlusion and Score-CAM by `saliency_map`
against theirs; Grad-CAM against one pass, and in a second row against
one pass with the gradient of the head, which it cannot do without.

The full-width cases run blocks of 64 masks (`--block`), since a thousand take a CPU minutes a turn: what a method does
once then weighs 16 times what it does in 1,000 masks, so their ratios are upper bounds. SIDU sees 64 channels alone.
RISE is warmed up on a few masks, since its programs are the same for any number of them, the others on the whole block.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from timing import times_in_turns, write_json

from jaxsal import deletion, gradcam, insertion, rise, saliency_map, sidu
from jaxsal.classifier import Classifier
from jaxsal.core.devices import device_mesh, on_every_device, split_axis, use_all_cores
from jaxsal.engine.scoring import IN_FLIGHT
from jaxsal.models import init_variables
from jaxsal.recipes.further import KernelShapOptions, OcclusionOptions
from jaxsal.training.networks import NetworkSpec

TARGETS = {"RISE": 1.03, "SIDU": 1.05, "deletion": 1.05, "insertion": 1.05, "Grad-CAM": 1.10}
TARGETS |= {"KernelSHAP": 1.05, "Occlusion": 1.05, "Score-CAM": 1.05}


class Case(NamedTuple):
    """A network and the size of its clips."""

    arch: str
    width: int
    num_frames: int
    crop: int


CASES = {
    "small": Case("resnet3d18", 8, 16, 56),
    "r3d-16x64": Case("resnet3d18", 16, 16, 64),
    "r3d-16x112": Case("resnet3d18", 64, 16, 112),
    "r3d-32x224": Case("resnet3d18", 64, 32, 224),
    "pan-32x224": Case("pan", 64, 32, 224),
    "quick": Case("resnet3d18", 4, 8, 32),
}


@dataclass(frozen=True)
class Config:
    """What is timed: a network with random weights."""

    case: Literal["small", "r3d-16x64", "r3d-16x112", "r3d-32x224", "pan-32x224"] = "small"
    """The network and its clips; all but the first two are of full width, the second of width 16."""
    block: int | None = None
    """Masks and steps of one turn; 128 in the small case, else 64."""
    methods: tuple[str, ...] = tuple(TARGETS)
    """What is timed."""
    chunk_size: int = 8
    """Clips in a batch."""
    rounds: int = 7
    """Turns that are timed."""
    all_cores: bool = True
    """One device per core, instead of one device."""
    processor: bool = False
    """Count seconds of all processors instead, where other work shares the machine."""
    quick: bool = False
    """A look in under a minute: a smaller network, 16 masks."""
    output: Path = Path("runs/bench/overhead.json")
    """Where the figures go."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FirstChannels:
    """A classifier of which SIDU sees the first channels only."""

    classifier: Classifier
    count: int = dataclasses.field(metadata=dict(static=True))
    num_channels: int = dataclasses.field(metadata=dict(static=True))

    @property
    def mean(self) -> Any:
        """Of the classifier."""
        return self.classifier.mean

    @property
    def frames_per_mask(self) -> int:
        """Of the classifier."""
        return self.classifier.frames_per_mask

    def features(self, clip: jax.Array) -> jax.Array:
        """The first channels of the activations."""
        return self.classifier.features(clip)[..., : self.count]

    def head(self, activations: jax.Array) -> jax.Array:
        """The head with zeros in the place of the other channels."""
        return self.classifier.head(jnp.pad(activations, [(0, 0)] * 3 + [(0, self.num_channels - self.count)]))

    def __call__(self, clip: jax.Array) -> jax.Array:
        """The logits."""
        return self.classifier(clip)


class Timed(NamedTuple):
    """A method to time: how it runs, how many passes it scores in batches, and how many alone; how it is warmed up."""

    run: Callable[[], Any]
    batched: int
    alone: int
    warm_up: Callable[[], Any]


def main(config: Config) -> None:
    """Times all, prints a table and writes JSON."""
    case = CASES["quick" if config.quick else config.case]
    block = 16 if config.quick else config.block or (128 if config.case == "small" else 64)
    if config.all_cores:
        use_all_cores()
    classifier, clip = network(case)
    clock = time.process_time if config.processor else time.perf_counter
    rows = []
    for method in config.methods:
        if method == "Grad-CAM":
            rows += gradcam_rows(classifier, clip, config.rounds, clock)
            continue
        timed = timed_method(method, classifier, clip, block, config.chunk_size)
        bare = bare_passes(timed, classifier, clip, config.chunk_size)
        jax.block_until_ready(timed.warm_up())
        jax.block_until_ready(bare(config.chunk_size))
        variants = {"method": timed.run, "bare": bare}
        seconds = times_in_turns(variants, rounds=config.rounds, warm_up=0, clock=clock)
        rows.append(summary(method, timed.batched + timed.alone, seconds))
    print(f"{case}, {device_mesh().size} device(s), blocks of {block}\n\n{table(rows)}")
    values = dataclasses.asdict(config) | dict(case=case._asdict(), block=block)
    write_json(config.output, dict(config=values, rows=rows))


def network(case: Case) -> tuple[Classifier, jax.Array]:
    """A classifier with random weights, and a clip."""
    spec = NetworkSpec(
        tuple("abcdefgh"),
        arch=case.arch,
        width=case.width,
        num_frames=case.num_frames,
        size=case.crop,
        crop=case.crop,
    )
    variables = init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape))
    return spec.classifier(variables), jax.random.uniform(jax.random.key(1), spec.clip_shape)


def timed_method(method: str, classifier: Classifier, clip: jax.Array, block: int, chunk_size: int) -> Timed:
    """RISE, SIDU or a curve, on about `block` masks."""
    if method == "RISE":
        run = partial(rise, jax.random.key(2), classifier, clip, 0, chunk_size=chunk_size)
        return Timed(partial(run, num_masks=block), block, 1, partial(run, num_masks=chunk_size))
    if method == "KernelSHAP":
        run = partial(saliency_map, classifier, clip, 0, chunk_size=chunk_size)
        options = KernelShapOptions(num_masks=block, grid_shape=(2, 4, 4))
        return Timed(partial(run, method=options), block + 1, 1, partial(run, method=options))
    if method == "Occlusion":
        run = partial(saliency_map, classifier, clip, 0, chunk_size=chunk_size)
        options = OcclusionOptions(grid_shape=(2, 4, block // 8))
        return Timed(partial(run, method=options), block, 1, partial(run, method=options))
    if method in ("SIDU", "Score-CAM"):
        activations = jax.jit(lambda classifier, clip: classifier.features(clip))(classifier, clip)
        few = FirstChannels(classifier, min(block, activations.shape[-1]), activations.shape[-1])
        activations = np.asarray(activations)[..., : few.count]
        if method == "Score-CAM":
            run = partial(saliency_map, few, clip, 0, method="scorecam", chunk_size=chunk_size)
            return Timed(run, few.count, 1, run)
        threshold = float(np.median(activations))
        num_distinct = len(np.unique((activations > threshold).reshape(-1, few.count), axis=1).T)
        run = partial(sidu, few, clip, 0, threshold=threshold, chunk_size=chunk_size)
        return Timed(run, num_distinct, 1, run)
    shape = (clip.shape[0] // classifier.frames_per_mask, *clip.shape[1:3])
    saliency = jax.random.uniform(jax.random.key(3), shape)
    measure = {"deletion": deletion, "insertion": insertion}[method]
    run = partial(measure, classifier, clip, saliency, 0, num_steps=block, chunk_size=chunk_size)
    return Timed(run, block, 0, run)


def bare_passes(timed: Timed, classifier: Classifier, clip: jax.Array, chunk_size: int) -> Callable[..., Any]:
    """As many passes of the classifier as a method takes, in batches of the same size, and nothing else.

    As many batches are in flight at most as programs in the engine.
    """
    mesh = device_mesh(multiple_of=chunk_size)
    everywhere = on_every_device(classifier, mesh)
    batch = split_axis(jnp.broadcast_to(clip, (chunk_size, *clip.shape)), mesh)
    forward = jax.jit(lambda classifier, clips: jax.vmap(classifier)(clips))
    alone = jax.jit(lambda classifier, clip: classifier(clip))

    def run(batched: int = timed.batched) -> Any:
        scores: list[Any] = []
        for _ in range(-(-batched // chunk_size)):
            if len(scores) >= IN_FLIGHT:
                jax.block_until_ready(scores[-IN_FLIGHT])
            scores.append(forward(everywhere, batch))
        return scores + [alone(classifier, clip) for _ in range(timed.alone)]

    return run


def gradcam_rows(
    classifier: Classifier, clip: jax.Array, rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[dict[str, Any]]:
    """Rows of Grad-CAM against a pass, and against a pass with the head's gradient; in three times the rounds."""
    forward = jax.jit(lambda classifier, clip: classifier(clip))

    @jax.jit
    def with_gradient(classifier: Classifier, clip: jax.Array) -> Any:
        activations = classifier.features(clip)
        return activations, jax.grad(lambda a: classifier.head(a)[0])(activations)

    variants = {
        "method": partial(gradcam, classifier, clip, 0),
        "bare": partial(forward, classifier, clip),
        "gradient": partial(with_gradient, classifier, clip),
    }
    seconds = times_in_turns(variants, rounds=3 * rounds, clock=clock)
    against_gradient = dict(method=seconds["method"], bare=seconds["gradient"])
    return [
        summary("Grad-CAM", 1, seconds),
        summary("Grad-CAM, against a pass with the head's gradient", 1, against_gradient),
    ]


def summary(method: str, forwards: int, seconds: dict[str, np.ndarray]) -> dict[str, Any]:
    """One row: medians, and the ratio turn by turn beside its target, if it has one."""
    ratios = seconds["method"] / seconds["bare"]
    return dict(
        method=method,
        forwards=forwards,
        seconds=float(np.median(seconds["method"])),
        bare_seconds=float(np.median(seconds["bare"])),
        ratio=float(np.median(ratios)),
        ratio_range=[float(ratios.min()), float(ratios.max())],
        target=TARGETS.get(method),
        rounds=len(ratios),
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of `summary` as a Markdown table."""
    lines = [
        "| method | forwards | method, s | bare forwards, s | time over bare forwards, median (range) | target |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        low, high = row["ratio_range"]
        target = "" if row["target"] is None else f"{row['target']:.2f}"
        lines.append(
            f"| {row['method']} | {row['forwards']} | {row['seconds']:.3f} | {row['bare_seconds']:.3f} | "
            f"{row['ratio']:.3f} ({low:.3f} to {high:.3f}) | {target} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config))
