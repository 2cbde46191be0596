"""Training: one pure step, and a run of steps that resumes from its checkpoints."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from jaxsal.core.devices import device_mesh, join_parts, on_every_device, on_one_device, own_part
from jaxsal.core.extras import check_installed
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.origin import origin
from jaxsal.core.processes import asked_to_stop, held_by_first, is_first
from jaxsal.core.progress import Bar
from jaxsal.core.signals import TerminatedError
from jaxsal.datasets.pipeline import ClipSource, training_batches
from jaxsal.models import init_variables
from jaxsal.training.augment import augment, with_dropped_spectra, with_reversals
from jaxsal.training.checkpoint import (
    Checkpoint,
    Variables,
    latest_step,
    load_checkpoint,
    open_manager,
    save_checkpoint,
)
from jaxsal.training.history import Entry, Metrics, StepClock, summary, write_history, write_tensorboard
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.optimizer import make_optimizer
from jaxsal.training.options import TrainOptions
from jaxsal.training.transfer import fit_head, freeze, is_trained


class TrainState(NamedTuple):
    """Everything that a step changes."""

    step: Int[Array, ""]
    variables: Variables
    opt_state: optax.OptState


def init_state(spec: NetworkSpec, options: TrainOptions, start: Variables | None = None) -> TrainState:
    """The state before the first step, with the weights of `start`, or random ones."""
    if start is None:
        key = jax.random.fold_in(jax.random.key(options.seed), 0)
        variables = init_variables(spec.model(), key, spec.batch_shape)
    else:
        variables = jax.tree.map(jnp.array, start)  # copies: a training step gives its buffers up
    return TrainState(jnp.zeros((), jnp.int32), variables, make_optimizer(options).init(variables["params"]))


@partial(jax.jit, static_argnums=(4, 5), donate_argnums=(0,))
def train_step(
    state: TrainState,
    key: PRNGKeyArray,
    clips: PyTree,
    labels: Int[Array, " B"] | Int[np.ndarray, " B"],
    spec: NetworkSpec,
    options: TrainOptions,
) -> tuple[TrainState, Metrics]:
    """One step on the cross-entropy of a batch; running statistics and dropout are part of it.

    Args:
      state: The state; its buffers are given up.
      key: The run's key; the step's own number is folded in.
      clips: Frames as they are stored, (B, T, S, S, C) uint8; of scenes by spectrum.
      labels: Classes.
      spec: What is trained.
      options: How.

    Returns:
      The next state, and the batch's loss and accuracy as (sum, count).
    """
    model, optimizer = spec.model(), make_optimizer(options)
    keys = jax.random.split(jax.random.fold_in(key, state.step), len(labels) + 1)
    inputs = jax.vmap(partial(augment, crop=spec.crop, options=options))(keys[:-1], jax.tree.map(jnp.asarray, clips))
    inputs, labels = with_reversals(inputs, jnp.asarray(labels), spec.classes, options.reversals)
    inputs = spec.normalize(inputs)
    if spec.channels:
        inputs = with_dropped_spectra(jax.random.fold_in(keys[-1], 1), inputs, options.drop_spectrum)

    whole = options.trained == "all"

    def loss_fn(params):
        params = params if whole else freeze(params, spec, options.trained)
        variables = {**state.variables, "params": params}
        logits, updates = model.apply(
            variables, inputs, train=whole, mutable=["batch_stats"], rngs={"dropout": keys[-1]}
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.mean(), (updates, losses, logits)

    gradient, (updates, losses, logits) = jax.grad(loss_fn, has_aux=True)(state.variables["params"])
    with jax.numpy_dtype_promotion("standard"):  # optax mixes integers and floats
        change, opt_state = optimizer.update(gradient, state.opt_state, state.variables["params"])
        if not whole:  # weight decay would change those without a gradient, too
            kept = is_trained(change, spec, options.trained)
            change = jax.tree.map(lambda part, trained: part if trained else jnp.zeros_like(part), change, kept)
        params = optax.apply_updates(state.variables["params"], change)
    count = jnp.float32(len(labels))
    hits = (logits.argmax(axis=-1) == labels).sum().astype(jnp.float32)
    metrics = {"loss": (losses.sum(), count), "accuracy": (hits, count)}
    return TrainState(state.step + 1, {**state.variables, **updates, "params": params}, opt_state), metrics


def train(
    spec: NetworkSpec,
    options: TrainOptions,
    clips: ClipSource,
    directory: str | Path,
    *,
    start: Variables | None = None,
    progress: bool = False,
    tensorboard: bool = False,
) -> Checkpoint:
    """Trains a network, or resumes the training that `directory` holds.

    The same seed gives the same numbers whether or not the run was interrupted. The two newest checkpoints are kept;
    on SIGTERM the step is saved before the run ends.

    Args:
      spec: What is trained.
      options: How.
      clips: What on; frames of `spec.size`, chosen by `spec.sampler`.
      directory: Where checkpoints ("checkpoints/") and the history ("history.jsonl") go.
      start: Variables to start from; random ones if None.
      progress: Whether to show loss and accuracy on standard error: a bar on a terminal, else lines for a log.

      tensorboard: Whether to write the history for TensorBoard too, to "tensorboard/" in `directory`.

    Returns:
      The last checkpoint.

    Raises:
      ValueError: If `directory` holds a run of another network, with other options, clips or starting variables, or
        is damaged.
      OSError: If a checkpoint cannot be written, as when the disk is full, or another run works in `directory`.
      TerminatedError: After SIGTERM; a `KeyboardInterrupt`.
    """
    if tensorboard:
        check_installed("tensorboardX")
    directory = Path(directory)
    with held_by_first(directory, "training"):
        options = options.on_clips(len(clips.clip_set.records))
        notes = origin(options=dataclasses.asdict(options), **_identity(clips, start))
        state = _resume(spec, options, notes, directory) or init_state(spec, options, start)
        with open_manager(directory / "checkpoints", keep=2) as manager:
            for damaged in [step for step in manager.all_steps() if step > int(state.step)]:
                manager.delete(damaged)

            def save(state: TrainState, history: list[Entry]) -> None:
                if is_first():
                    write_history(directory / "history.jsonl", history)
                    if tensorboard:
                        write_tensorboard(directory / "tensorboard", history)
                progress_made = {"opt_state": state.opt_state}
                save_checkpoint(manager, Checkpoint(spec, state.variables, history[-1].step, progress_made, notes))

            take = _fit_head if options.trained == "head" else _take_steps
            state = take(state, spec, options, clips, save, progress=progress)
        return Checkpoint(spec, jax.tree.map(on_one_device, state.variables), int(state.step), None, notes)


def _fit_head(
    state: TrainState,
    spec: NetworkSpec,
    options: TrainOptions,
    clips: ClipSource,
    save: Callable[[TrainState, list[Entry]], None],
    *,
    progress: bool,
) -> TrainState:
    """The state with a fitted head, as one step; it is saved without a history."""
    if int(state.step):
        return state
    shown = progress and is_first()
    fitted = fit_head(spec, state.variables, clips, weight_decay=options.weight_decay, progress=shown)
    state = TrainState(jnp.ones((), jnp.int32), fitted, state.opt_state)
    save(state, [Entry(1, {}, None)])
    return state


def _take_steps(
    state: TrainState,
    spec: NetworkSpec,
    options: TrainOptions,
    clips: ClipSource,
    save: Callable[[TrainState, list[Entry]], None],
    *,
    progress: bool,
) -> TrainState:
    """The state after the steps that are left; it is saved with the entries of the history since the last save."""
    clips_key, key = (jax.random.fold_in(jax.random.key(options.seed), stream) for stream in (1, 2))
    mesh = device_mesh(multiple_of=options.batch_size)
    steps = range(int(state.step), options.num_steps)
    batches = training_batches(clips, clips_key, steps, options.batch_size, rows=own_part(mesh, options.batch_size))
    key, state = on_every_device((key, state), mesh)
    same_program = dataclasses.replace(options, seed=0, save_every=1)  # a step's program depends on neither
    history: list[Entry] = []
    metrics: Metrics = {}
    clock = StepClock()
    bar = Bar(options.num_steps, "train", "steps", done=steps.start, show=progress and is_first())
    with asked_to_stop() as stop, bar:
        for step in steps:
            batch, before = clock.next_input(batches, metrics), metrics
            parts = join_parts((batch.clips, batch.labels), mesh)
            state, metrics = train_step(state, key, *parts, spec, same_program)
            times = clock.end_step(before)
            history.append(Entry(step + 1, metrics, times if step > steps.start else None))
            recent = summary(history[-10:]) if (step + 1) % 10 == 0 else None
            bar.update(note=", ".join(f"{name} {value}" for name, value in recent.items()) if recent else None)
            is_last, stopping = step + 1 == options.num_steps, stop(step)
            if stopping or is_last or (step + 1) % options.save_every == 0:
                save(state, history)
                history.clear()
            if stopping and not is_last:
                raise TerminatedError(f"asked to stop; step {step + 1} is saved")
    return state


def _identity(clips: ClipSource, start: Variables | None) -> dict[str, Any]:
    """Tells one training from another: SHA-256 of the clips' names and labels and of the starting variables."""
    described = json.dumps([(record.name, record.label) for record in clips.clip_set.records])
    data = hashlib.sha256(described.encode()).hexdigest()
    return dict(data=data, start=None if start is None else fingerprint(start))


def _resume(spec: NetworkSpec, options: TrainOptions, notes: dict[str, Any], directory: Path) -> TrainState | None:
    """The state that an earlier run left, None if there is none."""
    folder = directory / "checkpoints"
    if latest_step(folder) is None:
        return None
    opt_state = jax.eval_shape(lambda: init_state(spec, options).opt_state)
    held = load_checkpoint(folder, spec=spec, progress={"opt_state": opt_state})
    default, asked = (json.loads(json.dumps(o)) for o in (dataclasses.asdict(TrainOptions()), notes["options"]))
    before = default | held.origin["options"]  # older runs know fewer options
    changed = [f"{name}: {before[name]} instead of {value}" for name, value in asked.items() if before[name] != value]
    if changed:
        raise ValueError(
            f"`options` must be those of the run in {directory}; got a difference in {'; '.join(changed)}."
        )
    if held.origin["data"] != notes["data"]:
        raise ValueError(f"`clips` must be those of the run in {directory}; got others.")
    if held.origin.get("start") != notes["start"]:
        raise ValueError(f"`start` must be that of the run in {directory}; got another.")
    return TrainState(jnp.asarray(held.step, jnp.int32), held.variables, held.progress["opt_state"])
