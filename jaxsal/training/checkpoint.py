"""Checkpoints: weights with the network's spec, and what training resumes from; written whole or not at all."""

import dataclasses
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from jaxtyping import PyTree

from jaxsal.classifier import Classifier
from jaxsal.core.files import DamagedError, system_reason
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.sealed import sealed, unsealed
from jaxsal.models.initialise import zeros
from jaxsal.training.networks import NetworkSpec, spec_differences

Variables = dict[str, Any]
"""{"params": ..., "batch_stats": ...}, arrays nested by layer."""


class Checkpoint(NamedTuple):
    """A network as it was at one step.

    Attributes:
      spec: What the network is.
      variables: Its weights.
      step: Training steps taken.
      progress: What training needs beside the variables, or None.
      origin: Versions, git revision, devices and whatever training noted.
    """

    spec: NetworkSpec
    variables: Variables
    step: int
    progress: PyTree
    origin: dict[str, Any]

    @property
    def classifier(self) -> Classifier:
        """The network with its weights, on clips in [0, 1]."""
        return self.spec.classifier(self.variables)

    def __repr__(self) -> str:
        made = [str(self.origin[name]) for name in ("converted_from",) if name in self.origin]
        return f"Checkpoint(step {self.step:,}{', from ' if made else ''}{''.join(made)}: {self.classifier})"


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
    items = {"variables": ocp.args.StandardSave(checkpoint.variables)}
    if checkpoint.progress is not None:
        meta["progress_fingerprint"] = fingerprint(checkpoint.progress)
        items["progress"] = ocp.args.StandardSave(checkpoint.progress)
    items["meta"] = ocp.args.JsonSave(sealed(meta))
    try:
        manager.save(checkpoint.step, args=ocp.args.Composite(**items))
        manager.wait_until_finished()
    except Exception as error:  # orbax passes on what the file system and TensorStore say, in types of their own
        raise OSError(
            f"Cannot write the checkpoint of step {checkpoint.step} to {manager.directory}: {system_reason(error)}. "
            "Earlier checkpoints are safe; rerun the same command to resume."
        ) from error


@contextmanager
def open_manager(directory: str | Path, *, keep: int = 1) -> Iterator[ocp.CheckpointManager]:
    """The keeper of the checkpoints of one run, under `directory`: the newest `keep` stay, unfinished ones go."""
    options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True, cleanup_tmp_directories=True)
    manager = ocp.CheckpointManager(Path(directory).absolute(), options=options)
    try:
        yield manager
    except BaseException:
        with suppress(Exception):  # it raises once more what `save_checkpoint` has said in words
            manager.close()
        raise
    manager.close()


def load_checkpoint(
    directory: str | Path, *, spec: NetworkSpec | None = None, progress: PyTree | None = None
) -> Checkpoint:
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
        raise FileNotFoundError(
            f"`checkpoint` must be a folder with a checkpoint; got {directory}. {_way_to_one(path)}"
        )
    damage: list[DamagedError] = []
    for step in reversed(steps):
        try:
            checkpoint = _load_step(path, step, spec, progress)
        except DamagedError as error:
            damage.append(error)
            continue
        if damage:
            warnings.warn(f"{damage[0]} Step {step} is used instead.", stacklevel=2)
        return checkpoint
    raise DamagedError(f"{damage[0]} None is whole: remove {path} and make it again.")


def _load_step(path: Path, step: int, spec: NetworkSpec | None, progress: PyTree | None) -> Checkpoint:
    """The checkpoint of one step; errors as `load_checkpoint`."""
    with ocp.CheckpointManager(path) as manager:
        meta, held = _load_meta(manager, step)
        if spec is not None and held != spec:
            differences = "; ".join(spec_differences(spec, held))
            raise ValueError(f"`checkpoint` must be new or of the network asked for; got {path} with {differences}.")
        variables = dict(jax.eval_shape(held.model().init, jax.random.key(0), zeros(held.batch_shape)))
        trees = {"variables": variables} | ({} if progress is None else {"progress": progress})
        items = {name: ocp.args.StandardRestore(_on_one_device(tree)) for name, tree in trees.items()}
        restored = _restore(manager, step, **items)
    for name, saved in (("variables", "fingerprint"), ("progress", "progress_fingerprint")):
        if name in restored and saved in meta and fingerprint(restored[name]) != meta[saved]:
            raise _damaged(manager, step, f"its {name} have changed")
    return Checkpoint(held, restored["variables"], step, restored.get("progress"), meta["origin"])


def _load_meta(manager: ocp.CheckpointManager, step: int) -> tuple[dict[str, Any], NetworkSpec]:
    """What a checkpoint says of itself, and of its network."""
    content = _restore(manager, step, meta=ocp.args.JsonRestore())["meta"]
    try:
        meta = unsealed(content)
        _ = meta["origin"]
        return meta, NetworkSpec.from_json(meta["spec"])
    except (ValueError, KeyError, TypeError) as error:
        if "sha256" in content and not isinstance(error, DamagedError):
            raise  # as it was written, by a version that knows other networks
        raise _damaged(manager, step, f"meta/metadata: {system_reason(error)}") from error


def _damaged(manager: ocp.CheckpointManager, step: int, reason: str) -> DamagedError:
    return DamagedError(f"The checkpoint of step {step} in {manager.directory} is damaged: {reason}.")


def open_checkpoint(folder: str | Path) -> Checkpoint:
    """The newest checkpoint of a run's folder, or of the folder of checkpoints itself; errors as `load_checkpoint`."""
    inner = Path(folder) / "checkpoints"
    return load_checkpoint(inner if inner.is_dir() else folder)


def _way_to_one(path: Path) -> str:
    """Where there is a checkpoint near a place without one, or the command that makes one."""
    if path.is_file():
        return f"`jaxsal convert {path.name} FOLDER` makes one of a PyTorch file."
    nearby = [inner.parent for inner in sorted(path.glob("*/checkpoints"))[:1] if saved_steps(inner)]
    return f"There is one in {nearby[0]}." if nearby else "`jaxsal demo`, `jaxsal train` and `jaxsal convert` make one."


def latest_step(directory: str | Path) -> int | None:
    """The step of the newest whole checkpoint of a folder, None if there is none."""
    return max(saved_steps(directory), default=None)


def saved_steps(directory: str | Path) -> list[int]:
    """The steps of the checkpoints of a folder that were written to their end, oldest first."""
    path = Path(directory)
    return sorted(int(entry.name) for entry in path.iterdir() if entry.name.isdigit()) if path.is_dir() else []


def _restore(manager: ocp.CheckpointManager, step: int, **items: ocp.args.CheckpointArgs) -> ocp.args.Composite:
    try:
        return manager.restore(step, args=ocp.args.Composite(**items))
    except Exception as error:  # orbax raises bare exceptions for damaged files
        raise _damaged(manager, step, system_reason(error)) from error


def _on_one_device(tree: PyTree) -> PyTree:
    """Shapes of a tree, to be restored on the first device whatever the checkpoint was saved from."""
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)
