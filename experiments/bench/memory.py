"""Does memory grow with the number of masks? Peak memory of a whole RISE run, each N in a process of its own.

    python experiments/bench/memory.py
    python experiments/bench/memory.py --num-masks 1000 1000000 --width 1 --num-frames 4 --crop 16

Printed are the peak of the process (RSS), which counts JAX itself and compiling, and the memory that the compiled
program says it needs beside its arguments.
"""

import dataclasses
import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from timing import write_json


@dataclass(frozen=True)
class Config:
    """What is run: a 3D-ResNet18 with random weights, on one device."""

    num_masks: tuple[int, ...] = (1_000, 10_000)
    """The numbers of masks that are compared."""
    width: int = 2
    """Channels of the first layer."""
    num_frames: int = 8
    """T."""
    crop: int = 32
    """Height and width of the clip, in pixels."""
    chunk_size: int = 16
    """Clips in a batch."""
    measure: int | None = None
    """Run this number of masks in this process and print its figures, nothing else."""
    output: Path = Path("runs/bench/memory.json")
    """Where the figures go."""


def main(config: Config) -> None:
    """Compares the numbers of masks, or measures one."""
    if config.measure is not None:
        print(json.dumps(measure(config, config.measure)))
        return
    rows = []
    for num_masks in config.num_masks:
        command = [sys.executable, __file__, *sys.argv[1:], "--measure", str(num_masks)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append(json.loads(printed.splitlines()[-1]))
    print("| masks | peak of the process, MB | program beside its arguments, MB |")
    print("|--:|--:|--:|")
    for row in rows:
        print(f"| {row['num_masks']:,} | {row['peak_mb']:.0f} | {row['temporary_mb']:.1f} |")
    write_json(config.output, dict(config=dataclasses.asdict(config) | dict(output=str(config.output)), rows=rows))


def measure(config: Config, num_masks: int) -> dict:
    """The figures of one run."""
    import jax
    import jax.numpy as jnp

    from jaxsal import rise_ledger
    from jaxsal.callables import split_callable
    from jaxsal.models import init_variables
    from jaxsal.networks import NetworkSpec
    from jaxsal.scoring import _score_chunks

    spec = NetworkSpec(
        tuple("abcdefgh"), width=config.width, num_frames=config.num_frames, size=config.crop, crop=config.crop
    )
    classifier = spec.classifier(init_variables(spec.model(), jax.random.key(0), (1, *spec.clip_shape)))
    clip = jax.random.uniform(jax.random.key(1), spec.clip_shape)
    ledger = rise_ledger(jax.random.key(2), classifier, clip, num_masks=num_masks, chunk_size=config.chunk_size)
    jax.block_until_ready(ledger.map(0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    arrays, static = split_callable(classifier)
    ids = jnp.zeros((8, config.chunk_size), jnp.int32)
    lowered = _score_chunks.lower(arrays, clip, jnp.zeros(3), ledger.masks, ids, 8, static, "aligned", None)
    temporary = lowered.compile().memory_analysis().temp_size_in_bytes / 2**20
    return dict(num_masks=num_masks, peak_mb=peak, temporary_mb=temporary)


if __name__ == "__main__":
    main(tyro.cli(Config))
