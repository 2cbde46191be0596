"""Work laid over all devices of this process: one axis of the data is split, everything else is on each of them."""

import math
import os
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec


def device_mesh(multiple_of: int | None = None) -> Mesh:
    """All local devices in a row, or as many of them as divide `multiple_of`."""
    devices = jax.local_devices()
    count = len(devices) if multiple_of is None else math.gcd(len(devices), multiple_of)
    return jax.make_mesh((count,), ("split",), axis_types=(AxisType.Auto,), devices=devices[:count])


def on_every_device(tree: Any, mesh: Mesh) -> Any:
    """The arrays of a tree, copied to every device of the mesh that does not have them."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def split_axis(tree: Any, mesh: Mesh, axis: int = 0) -> Any:
    """The arrays of a tree, one part of `axis` on each device; its length must be a multiple of the devices."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec(*[None] * axis, "split")))


def use_all_cores() -> None:
    """Makes a device of every processor core, up to eight, where JAX runs on the CPU; call it before JAX starts.

    One forward pass does not fill several cores; several at once do.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if "JAX_NUM_CPU_DEVICES" not in os.environ and "xla_force_host_platform_device_count" not in os.environ.get(
        "XLA_FLAGS", ""
    ):
        jax.config.update("jax_num_cpu_devices", min(cores, 8))
