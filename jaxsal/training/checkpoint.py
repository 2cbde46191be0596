"""Checkpoints: weights with the network's spec, and what training needs to go on; written whole or not at all."""

import dataclasses
import warnings
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.revision import git_revision
from jaxsal.training.networks import NetworkSpec, spec_differences

_VERSIONED = ("jaxsal", "jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")


class DamagedError(ValueError):
    """A checkpoint that cannot be read, or holds other numbers than were saved."""


class Checkpoint(NamedTuple):
    """A network as it was at one step.

    Attributes:
      spec: What the network is.
      variables: {"params": ..., "batch_stats": ...}.
      step: Training steps taken.
      progress: What training needs beside the variables, or None.
      origin: Versions, git revision, devices and whatever training noted.
    """

    spec: NetworkSpec
    variables: Any
    step: int
    progress: Any
    origin: dict[str, Any]


def save_checkpoint(manager: ocp.CheckpointManager, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint under its step, and waits for it; a step that was saved already is left as it is.

    Raises:
      OSError: If it cannot be written, as when the disk is full; earlier checkpoints stay.
    """
    if checkpoint.step in manager.all_steps():
        return
    meta = dict(
        spec=dataclasses.asdict(checkpoint.spec),
        origin=checkpoint.origin,
        fingerprint=fingerprint(checkpoint.variables),
    )
    items = {"variables": ocp.args.StandardSave(checkpoint.variables), "meta": ocp.args.JsonSave(meta)}
    if checkpoint.progress is not None:
        meta["progress_fingerprint"] = fingerprint(checkpoint.progress)
        items["progress"] = ocp.args.StandardSave(checkpoint.progress)
    try:
        manager.save(checkpoint.step, args=ocp.args.Composite(**items))
        manager.wait_until_finished()
    except Exception as error:  # orbax passes on what the file system and TensorStore say, in types of their own
        raise OSError(
            f"`output` must take a checkpoint; got {_reason(error)} at {manager.directory}, step {checkpoint.step}. "
            "Checkpoints before it are safe, and the same command goes on from there."
        ) from error


def open_manager(directory: str | Path, *, keep: int = 1) -> ocp.CheckpointManager:
    """The keeper of the checkpoints of one run, under `directory`; the newest `keep` stay."""
    options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
    return ocp.CheckpointManager(Path(directory).absolute(), options=options)


def load_checkpoint(directory: str | Path, *, spec: NetworkSpec | None = None, progress: Any = None) -> Checkpoint:
    """Reads the newest checkpoint of a run; with a warning the one before it, if the newest is damaged.

    Args:
      directory: Where the run's checkpoints are.
      spec: What the network must be; anything if None.
      progress: A tree like the one that was saved, to read training's own part too; left out if None.

    Raises:
      FileNotFoundError: If there is no checkpoint.
      ValueError: If all are damaged, or of another network than `spec`.
    """
    path = Path(directory).absolute()
    steps = saved_steps(path)
    if not steps:
        raise FileNotFoundError(f"`checkpoint` must be a folder with a checkpoint; got {directory}.")
    damage: list[DamagedError] = []
    for step in reversed(steps):
        try:
            found = _load_step(path, step, spec, progress)
        except DamagedError as error:
            damage.append(error)
            continue
        if damage:
            warnings.warn(f"{damage[0]} The one of step {step} is taken instead.", stacklevel=2)
        return found
    raise damage[0]


def _load_step(path: Path, step: int, spec: NetworkSpec | None, progress: Any) -> Checkpoint:
    """The checkpoint of one step; errors as `load_checkpoint`."""
    with ocp.CheckpointManager(path) as manager:
        meta = _restore(manager, step, meta=ocp.args.JsonRestore())["meta"]
        found = NetworkSpec.from_json(meta["spec"])
        if spec is not None and found != spec:
            differences = "; ".join(spec_differences(spec, found))
            raise ValueError(f"`checkpoint` must be of the network asked for; got {path} with {differences}.")
        shapes = jax.eval_shape(found.model().init, jax.random.key(0), jnp.zeros((1, *found.clip_shape)))
        items = {"variables": ocp.args.StandardRestore(_on_one_device(dict(shapes)))}
        if progress is not None:
            items["progress"] = ocp.args.StandardRestore(_on_one_device(progress))
        restored = _restore(manager, step, **items)
    for name, saved in (("variables", "fingerprint"), ("progress", "progress_fingerprint")):
        if name in restored and saved in meta and fingerprint(restored[name]) != meta[saved]:
            raise DamagedError(
                f"`checkpoint` must be undamaged; got other {name} than were saved in {path}, step {step}."
            )
    return Checkpoint(found, restored["variables"], step, restored.get("progress"), meta["origin"])


def open_checkpoint(folder: str | Path) -> Checkpoint:
    """The newest checkpoint of a run's folder, or of the folder of checkpoints itself; errors as `load_checkpoint`."""
    inner = Path(folder) / "checkpoints"
    return load_checkpoint(inner if inner.is_dir() else folder)


def latest_step(directory: str | Path) -> int | None:
    """The step of the newest whole checkpoint of a folder, None if there is none."""
    return max(saved_steps(directory), default=None)


def saved_steps(directory: str | Path) -> list[int]:
    """The steps of the checkpoints of a folder that were written to their end, oldest first."""
    path = Path(directory)
    return sorted(int(entry.name) for entry in path.iterdir() if entry.name.isdigit()) if path.is_dir() else []


def _restore(manager: ocp.CheckpointManager, step: int, **items: Any) -> Any:
    try:
        return manager.restore(step, args=ocp.args.Composite(**items))
    except Exception as error:  # orbax raises bare exceptions for damaged files
        reason = f"{manager.directory}, step {step}: {_reason(error)}"
        raise DamagedError(f"`checkpoint` must be whole; got {reason}.") from error


def _reason(error: Exception) -> str:
    """The first line of a message, without TensorStore's pages of context."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].removesuffix(".")


def _on_one_device(tree: Any) -> Any:
    """Shapes of a tree, to be restored on the first device whatever the checkpoint was saved from."""
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def origin(**notes: Any) -> dict[str, Any]:
    """Versions of the packages that numbers depend on, the git revision if there is one, the devices, further notes."""
    versions = {name: version(name) for name in _VERSIONED}
    kinds = Counter(f"{device.platform}: {device.device_kind}" for device in jax.devices())
    return dict(versions=versions, git_revision=git_revision(), devices=dict(kinds), **notes)
