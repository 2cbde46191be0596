"""Work laid over devices: one axis of the data is split, everything else is on each of them.

The devices are those of all processes that `jax.distributed` has joined. Every process runs the same calls on the same
data, takes its own parts of it, and gets the whole result.
"""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

from jaxsal.core.kept import Kept
from jaxsal.core.types import AnyArray

_alone: ContextVar[bool] = ContextVar("alone", default=False)
_copies = Kept[dict[Mesh, Array]]()


@contextmanager
def this_process_alone() -> Iterator[None]:
    """Inside, work is laid over the devices of this process only, so processes can do different things."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def device_mesh(multiple_of: int | None = None) -> Mesh:
    """All devices in a row, or as many of them as divide `multiple_of`.

    Raises:
      ValueError: If the devices of several processes do not divide `multiple_of`, so that some had nothing to do.
    """
    devices = jax.local_devices() if _alone.get() else jax.devices()
    count = len(devices) if multiple_of is None else math.gcd(len(devices), multiple_of)
    if count < len(devices) and len({device.process_index for device in devices}) > 1:
        raise ValueError(f"`multiple_of` must be a multiple of the {len(devices)} devices; got {multiple_of}.")
    return _in_a_row(tuple(devices[:count]))


def clip_mesh(count: int) -> Mesh:
    """The devices of this process in a row; the first alone for one clip."""
    return _in_a_row(tuple(jax.local_devices()[: None if count > 1 else 1]))


@cache
def _in_a_row(devices: tuple[jax.Device, ...]) -> Mesh:
    return jax.make_mesh((len(devices),), ("split",), axis_types=(AxisType.Auto,), devices=devices)


def on_every_device(tree: PyTree, mesh: Mesh) -> PyTree:
    """The arrays of a tree, copied to every device of the mesh that does not have them."""
    return _lay(tree, NamedSharding(mesh, PartitionSpec()))


def copies_on_every_device(arrays: Sequence[AnyArray], mesh: Mesh) -> list[AnyArray]:
    """`on_every_device` for arrays that come again, such as weights: as long as they live, so do the copies."""
    known = [(_copies.get(array) or {}).get(mesh) for array in arrays]
    missing = [array for array, copy in zip(arrays, known, strict=True) if copy is None]
    made = on_every_device(missing, mesh)
    for array, copy in zip(missing, made, strict=True):
        if copy is not array:
            _copies.set(array, {**(_copies.get(array) or {}), mesh: copy})
    rest = iter(made)
    return [next(rest) if copy is None else copy for copy in known]


def on_this_device(tree: PyTree, mesh: Mesh) -> PyTree:
    """Arrays on the one device of a mesh; arrays already there are not copied, which saves a small network time."""
    (device,) = mesh.devices.flat
    default = device == jax.local_devices()[0] and getattr(jax.config, "jax_default_device", None) is None

    def put(leaf: AnyArray) -> Array:
        if not isinstance(leaf, jax.Array):
            return jax.device_put(leaf, None if default else device)
        return leaf if leaf.devices() == {device} else jax.device_put(leaf, device)

    return jax.tree.map(put, tree)


def view_of(tree: PyTree, mesh: Mesh) -> PyTree:
    """Arrays that more devices have, on the devices of a mesh; nothing is copied."""
    everywhere = NamedSharding(mesh, PartitionSpec())

    def view(leaf: Array) -> Array:
        shards = {shard.device: shard.data for shard in leaf.addressable_shards}
        parts = [shards[device] for device in mesh.devices.flat]
        return jax.make_array_from_single_device_arrays(leaf.shape, everywhere, parts)

    return jax.tree.map(view, tree)


def split_axis(tree: PyTree, mesh: Mesh, axis: int = 0) -> PyTree:
    """The arrays of a tree, one part of `axis` on each device; its length must be a multiple of the devices."""
    return _lay(tree, NamedSharding(mesh, PartitionSpec(*[None] * axis, "split")))


def own_part(mesh: Mesh, length: int) -> slice:
    """The part of an axis of `length`, split over a mesh, that the devices of this process hold."""
    places = NamedSharding(mesh, PartitionSpec("split")).devices_indices_map((length,))
    parts = [places[device][0].indices(length) for device in mesh.local_devices]
    return slice(min(start for start, _, _ in parts), max(stop for _, stop, _ in parts))


def join_parts(tree: PyTree, mesh: Mesh) -> PyTree:
    """Arrays of which every process has its own part of the first axis, laid over the mesh as one."""
    sharding = NamedSharding(mesh, PartitionSpec("split"))
    return jax.tree.map(partial(jax.make_array_from_process_local_data, sharding), tree)


def on_accelerator() -> bool:
    """Whether programs run on a GPU or TPU."""
    return jax.default_backend() != "cpu"


def host_device() -> jax.Device:
    """The processor; a device of the accelerator where JAX was started without the processor."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return jax.local_devices()[0]


def on_one_device(array: Array) -> Array:
    """An array of a mesh, whole, on the first device of this process; under a caller's `jax.jit` as it is."""
    if isinstance(array, jax.core.Tracer):
        return array
    if not array.is_fully_addressable:
        from jax.experimental.multihost_utils import process_allgather

        array = process_allgather(array, tiled=True)
    return jax.device_put(array, jax.local_devices()[0])


def _lay(tree: PyTree, sharding: NamedSharding) -> PyTree:
    """Puts arrays that every process has in whole where the sharding says."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)

    def lay(leaf: Array | np.ndarray) -> Array:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            return jax.device_put(leaf, sharding)
        leaf = jnp.asarray(leaf)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(lay(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        whole = np.asarray(leaf)
        return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

    return jax.tree.map(lay, tree)


def use_all_cores() -> None:
    """Makes a device of every processor core, up to eight, where JAX runs on the CPU; call it before JAX starts.

    One forward pass does not fill several cores; several at once do.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "JAX_NUM_CPU_DEVICES" not in os.environ and "xla_force_host_platform_device_count" not in flags:
        jax.config.update("jax_num_cpu_devices", min(num_cores(), 8))


def num_cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
