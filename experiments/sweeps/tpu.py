"""The sweep's program compiled ahead of time for TPUs that are not there: memory, FLOPs and bytes of each chip.

    pip install --target libtpu_only libtpu==0.0.42.1
    PYTHONPATH=libtpu_only python experiments/sweeps/tpu.py --crop 112

The compiler is libtpu's own; the version is the one that the installed JAX was built for. Nothing is run.
"""

import json
import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from jaxsal.core.callables import split_callable
from jaxsal.engine.masks import Families
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import CHUNKS_PER_PROGRAM, Program, score_chunks
from jaxsal.training.networks import NetworkSpec

_COLLECTIVES = r"= \S+ (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("


@dataclass(frozen=True)
class Config:
    """The network, the clip and the chips."""

    topology: str = "v5e:2x4"
    """As libtpu names it."""
    width: int = 64
    num_frames: int = 16
    crop: int = 112
    masks_per_chip: int = 8
    """In memory at once."""
    grid_shape: tuple[int, int, int] = (2, 8, 8)


def topology_devices(name: str) -> list[Any]:
    """The chips of a topology, described by libtpu without a TPU."""
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    jax.config.update("jax_platforms", "cpu")
    from jax.experimental import topologies

    return topologies.get_topology_desc(platform="tpu", topology_name=name).devices


def lower(config: Config, devices: list[Any]) -> Any:
    """The program that scores masks, for these devices, from shapes alone."""
    mesh = jax.sharding.Mesh(np.array(devices), ("split",), axis_types=(jax.sharding.AxisType.Auto,))
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(None, "split"))
    crop = config.crop
    spec = NetworkSpec(tuple("abcdefgh"), width=config.width, num_frames=config.num_frames, size=crop, crop=crop)
    variables = jax.eval_shape(spec.model().init, jax.random.key(0), jnp.zeros((1, *spec.clip_shape)))
    classifier = jax.eval_shape(spec.classifier, dict(variables))
    arrays, static = split_callable(jax.tree.map(lambda leaf: np.broadcast_to(np.float32(1), leaf.shape), classifier))
    masks = RiseMasks.draw(jax.random.key(0), 1000, 0.1, spec.clip_shape[:3], config.grid_shape, "mirror", "own")

    def shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
        kind = leaf.dtype if hasattr(leaf, "dtype") else jnp.result_type(leaf)
        return jax.ShapeDtypeStruct(np.shape(leaf), kind, sharding=whole)

    clips = np.zeros((1, *spec.clip_shape), np.float32)
    arguments = jax.tree.map(shape_of, (arrays, clips, clips, Families.of([masks])))
    chunks = CHUNKS_PER_PROGRAM, config.masks_per_chip * len(devices)
    pairs, ids = (jax.ShapeDtypeStruct(shape, jnp.int32, sharding=split) for shape in ((*chunks, 2), chunks))
    count = jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
    traced = score_chunks.trace(*arguments, pairs, ids, count, Program(static))
    return traced.lower(lowering_platforms=("tpu",))


def report(config: Config) -> dict[str, Any]:
    """What the compiler says of one chip; FLOPs and bytes are those of one chunk, divided by its masks."""
    devices = topology_devices(config.topology)
    start = time.perf_counter()
    lowered = lower(config, devices)
    lowering = time.perf_counter() - start
    compiled = lowered.compile()
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    return dict(
        chips=f"{devices[0].device_kind} x {len(devices)}",
        lower_seconds=round(lowering, 1),
        compile_seconds=round(time.perf_counter() - start - lowering, 1),
        argument_megabytes=memory.argument_size_in_bytes / 1e6,
        output_megabytes=memory.output_size_in_bytes / 1e6,
        temporary_megabytes=memory.temp_size_in_bytes / 1e6,
        code_megabytes=memory.generated_code_size_in_bytes / 1e6,
        gflop_per_mask=cost["flops"] / config.masks_per_chip / 1e9,
        megabytes_accessed_per_mask=cost["bytes accessed"] / config.masks_per_chip / 1e6,
        collectives=dict(Counter(re.findall(_COLLECTIVES, compiled.as_text()))),
    )


if __name__ == "__main__":
    print(json.dumps(report(tyro.cli(Config)), indent=2))
