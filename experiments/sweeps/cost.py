"""What a large sweep costs: FLOPs and bytes of one mask, and how many accelerators take how long.

    python experiments/sweeps/cost.py --num-masks 1000000 --num-clips 1000

FLOPs are counted by XLA in the program that scores masks, bytes from the arrays that a sweep moves and writes. What
one accelerator sustains, how long a clip takes to decode and a chunk to write are given, not measured on a cluster.
The clips are then handed out as `jaxsal.evaluation.sweep.share_out` does: whole rounds to single processes, the
rest to all.
"""

import dataclasses
import json
import tempfile
import time
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from jaxsal.core.callables import split_callable
from jaxsal.engine.masks import Families
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import Program, score_chunks
from jaxsal.evaluation.store import Store
from jaxsal.evaluation.sweep import share_out
from jaxsal.training.networks import NetworkSpec


@dataclass(frozen=True)
class Config:
    """The sweep and the machines."""

    num_masks: int = 1_000_000
    num_clips: int = 1_000
    width: int = 64
    num_frames: int = 16
    crop: int = 224
    num_classes: int = 8
    devices: tuple[int, ...] = (8, 64, 512)
    devices_per_process: int = 8
    flops_per_second: float = 1e14
    """Sustained on one accelerator; a third to a half of the peak of a current one in bfloat16 or TF32."""
    bytes_per_mask: float = 0.0
    """Of memory traffic, as `tpu.py` reports; 0 leaves it out."""
    bytes_per_second: float = 819e9
    """Of an accelerator's memory; the vendor's figure of a TPU v5e."""
    decode_seconds: float = 0.3
    """To read, decode and resize a clip, on one core."""
    write_seconds: float = 0.05
    """To commit one chunk of a ledger."""
    measure_writes: bool = False
    """Take the median of 20 commits to a folder of this machine instead."""
    network_bytes_per_second: float = 1e10
    """Of one process, where devices of several processes share the masks of a clip."""
    masks_per_commit: int = 8192
    chunk_per_device: int = 32
    spread: float = 0.3
    """Relative spread of every single decoding and commit in the simulation; their means stay."""
    runs: int = field(default=20)
    """Simulated sweeps."""


def flops_per_mask(config: Config) -> float:
    """FLOPs of making, applying and scoring one mask, as XLA counts them in the program of the sweep."""
    size = config.crop
    spec = NetworkSpec(
        tuple(map(str, range(config.num_classes))),
        width=config.width,
        num_frames=config.num_frames,
        size=size,
        crop=size,
    )
    shapes = jax.eval_shape(spec.model().init, jax.random.key(0), jnp.zeros((1, *spec.clip_shape)))
    classifier = jax.eval_shape(spec.classifier, dict(shapes))
    arrays, static = split_callable(jax.tree.map(lambda leaf: np.broadcast_to(np.float32(1), leaf.shape), classifier))
    masks = RiseMasks.draw(jax.random.key(0), 1, 0.1, spec.clip_shape[:3], (2, 8, 8), "mirror", "own")
    counts = []
    for chunk in (1, 2):
        ids, pairs = np.zeros((1, chunk), np.int32), np.zeros((1, chunk, 2), np.int32)
        clips = jax.ShapeDtypeStruct((1, *spec.clip_shape), jnp.float32)
        traced = score_chunks.trace(arrays, clips, clips, Families.of([masks]), pairs, ids, 1, Program(static))
        lowered = traced.lower(lowering_platforms=("cuda",))
        counts.append(lowered.cost_analysis()["flops"])
    return counts[1] - counts[0]


def simulate(config: Config, seconds_per_mask: float, num_devices: int, generator: np.random.Generator) -> float:
    """Seconds of one sweep: the slowest process, then the clips that all devices share."""
    num_processes = max(num_devices // config.devices_per_process, 1)
    chunks = -(-config.num_masks // config.masks_per_commit)

    def clip_seconds(devices: int) -> float:
        jitter = generator.lognormal(-(config.spread**2) / 2, config.spread, 1 + chunks)
        waste = _rounding(config, devices)
        together = devices > config.devices_per_process
        collective = chunks * (4 * config.num_classes * config.masks_per_commit) / config.network_bytes_per_second
        return (
            config.decode_seconds * jitter[0]
            + config.write_seconds * jitter[1:].sum()
            + waste * config.num_masks * seconds_per_mask / devices
            + together * collective
        )

    shares = [share_out(range(config.num_clips), number, num_processes) for number in range(num_processes)]
    alone = max(sum(clip_seconds(config.devices_per_process) for _ in own) for own, _ in shares)
    return alone + sum(clip_seconds(num_devices) for _ in shares[0][1])


def _rounding(config: Config, devices: int) -> float:
    """How many masks are scored for each that is wanted: a commit is filled up to whole chunks."""
    chunk = config.chunk_per_device * devices
    per_commit = min(config.masks_per_commit, config.num_masks)
    return -(-per_commit // chunk) * chunk / per_commit


def seconds_of_mask(config: Config, flops: float) -> float:
    """Of one accelerator: for its arithmetic or for its memory traffic, whichever takes longer."""
    return max(flops / config.flops_per_second, config.bytes_per_mask / config.bytes_per_second)


def write_seconds_here(config: Config, commits: int = 20) -> float:
    """The median time to commit a chunk of a ledger to a folder of this machine."""
    logits = np.random.default_rng(0).random((config.masks_per_commit, config.num_classes), np.float32)
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder, create=True)
        store.describe("series", {})
        for number in range(commits):
            start = time.perf_counter()
            span = number * len(logits), (number + 1) * len(logits)
            store.put("scores", "series", "clip", {"logits": logits}, span=span)
            store.commit()
            seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def main(config: Config) -> None:
    """Prints one line of JSON per number of accelerators."""
    if config.measure_writes:
        config = dataclasses.replace(config, write_seconds=write_seconds_here(config))
    flops = flops_per_mask(config)
    seconds_per_mask = seconds_of_mask(config, flops)
    generator = np.random.default_rng(0)
    commits = -(-config.num_masks // config.masks_per_commit)
    for devices in config.devices:
        found = [simulate(config, seconds_per_mask, devices, generator) for _ in range(config.runs)]
        per_process = config.num_clips / max(devices / config.devices_per_process, 1)
        compute = config.num_masks * config.num_clips * seconds_per_mask / devices
        line = dict(
            accelerators=devices,
            gflop_per_mask=round(flops / 1e9, 2),
            ledger_gigabytes=round(4e-9 * config.num_classes * config.num_masks * config.num_clips, 1),
            hours=round(float(np.mean(found)) / 3600, 2),
            compute_hours=round(compute / 3600, 2),
            outside_percent=round(100 * (1 - compute / float(np.mean(found))), 1),
            reading_hours=round(per_process * config.decode_seconds / 3600, 3),
            write_seconds=round(config.write_seconds, 5),
            writing_hours=round(per_process * commits * config.write_seconds / 3600, 3),
            megabytes_written_per_second=round(
                4e-6 * config.num_classes * config.num_masks * config.num_clips / float(np.mean(found)), 2
            ),
        )
        print(json.dumps(line))


if __name__ == "__main__":
    main(tyro.cli(Config))
