"""Training: one pure step, checkpoints that a killed run goes on from."""

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
from jaxtyping import Array, Int, PRNGKeyArray, UInt8
from tqdm import tqdm

from jaxsal.core.devices import device_mesh, join_parts, on_every_device, on_one_device, own_part
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.interruptions import asked_to_stop
from jaxsal.datasets.pipeline import ClipSource, ordered_batches, training_batches
from jaxsal.models import init_variables
from jaxsal.options import TrainOptions
from jaxsal.training.augment import augment
from jaxsal.training.checkpoint import (
    Checkpoint,
    latest_step,
    load_checkpoint,
    open_manager,
    origin,
    save_checkpoint,
)
from jaxsal.training.history import Entry, Metrics, StepClock, summary, write_history
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.optimizer import make_optimizer


class TrainState(NamedTuple):
    """Everything that a step changes."""

    step: Int[Array, ""]
    variables: Any
    opt_state: Any


def init_state(spec: NetworkSpec, options: TrainOptions, start: Any = None) -> TrainState:
    """The state before the first step, with the weights of `start`, or random ones."""
    if start is None:
        key = jax.random.fold_in(jax.random.key(options.seed), 0)
        variables = init_variables(spec.model(), key, (1, *spec.clip_shape))
    else:
        variables = jax.tree.map(jnp.array, start)  # copies: a training step gives its buffers up
    return TrainState(jnp.zeros((), jnp.int32), variables, make_optimizer(options).init(variables["params"]))


@partial(jax.jit, static_argnums=(4, 5), donate_argnums=(0,))
def train_step(
    state: TrainState,
    key: PRNGKeyArray,
    clips: UInt8[Array, "B T S S 3"] | UInt8[np.ndarray, "B T S S 3"],
    labels: Int[Array, " B"] | Int[np.ndarray, " B"],
    spec: NetworkSpec,
    options: TrainOptions,
) -> tuple[TrainState, Metrics]:
    """One step on the cross-entropy of a batch; running statistics and dropout are part of it.

    Args:
      state: The state; its buffers are given up.
      key: The run's key; the step's own number is folded in.
      clips: Frames as they are stored.
      labels: Classes.
      spec: What is trained.
      options: How.

    Returns:
      The next state, and the batch's loss and accuracy as (sum, count).
    """
    model, optimizer = spec.model(), make_optimizer(options)
    keys = jax.random.split(jax.random.fold_in(key, state.step), len(clips) + 1)
    inputs = jax.vmap(partial(augment, crop=spec.crop, options=options))(keys[:-1], jnp.asarray(clips))
    inputs = (inputs - jnp.asarray(spec.mean)) / jnp.asarray(spec.std)

    def loss_fn(params):
        variables = {**state.variables, "params": params}
        logits, updates = model.apply(
            variables, inputs, train=True, mutable=["batch_stats"], rngs={"dropout": keys[-1]}
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return losses.mean(), (updates, losses, logits)

    gradient, (updates, losses, logits) = jax.grad(loss_fn, has_aux=True)(state.variables["params"])
    with jax.numpy_dtype_promotion("standard"):  # optax mixes integers and floats
        change, opt_state = optimizer.update(gradient, state.opt_state, state.variables["params"])
        params = optax.apply_updates(state.variables["params"], change)
    count = jnp.float32(len(clips))
    hits = (logits.argmax(axis=-1) == jnp.asarray(labels)).sum().astype(jnp.float32)
    metrics = {"loss": (losses.sum(), count), "accuracy": (hits, count)}
    return TrainState(state.step + 1, {"params": params, **updates}, opt_state), metrics


def train(
    spec: NetworkSpec,
    options: TrainOptions,
    clips: ClipSource,
    directory: str | Path,
    *,
    start: Any = None,
    progress: bool = False,
) -> Checkpoint:
    """Trains a network, or goes on with the training that `directory` holds.

    The same seed gives the same numbers whether or not the run was interrupted. The two newest checkpoints are kept;
    on SIGTERM the step is saved before the run ends.

    Args:
      spec: What is trained.
      options: How.
      clips: What on; frames of `spec.size`, chosen by `spec.sampler`.
      directory: Where checkpoints ("checkpoints/") and the history ("history.jsonl") go.
      start: Variables to start from; random ones if None.
      progress: Whether to show a bar with loss and accuracy on standard error.

    Returns:
      The last checkpoint.

    Raises:
      ValueError: If `directory` holds a run of another network, with other options, clips or starting variables, or
        is damaged.
      OSError: If a checkpoint cannot be written, as when the disk is full.
      KeyboardInterrupt: After SIGTERM.
    """
    directory = Path(directory)
    options = options.on_clips(len(clips.clip_set.records))
    notes = origin(options=dataclasses.asdict(options), **_identity(clips, start))
    clips_key, key = (jax.random.fold_in(jax.random.key(options.seed), stream) for stream in (1, 2))
    mesh = device_mesh(multiple_of=options.batch_size)
    state = _resume(spec, options, notes, directory) or init_state(spec, options, start)
    steps = range(int(state.step), options.num_steps)
    batches = training_batches(clips, clips_key, steps, options.batch_size, rows=own_part(mesh, options.batch_size))
    key, state = on_every_device((key, state), mesh)
    history: list[Entry] = []
    metrics: Metrics = {}
    clock = StepClock()
    bar = tqdm(
        steps,
        "train",
        options.num_steps,
        initial=steps.start,
        disable=not progress,
        unit="step",
    )
    with open_manager(directory / "checkpoints", keep=2) as manager, asked_to_stop() as stop:
        for damaged in [found for found in manager.all_steps() if found > steps.start]:
            manager.delete(damaged)
        for step in bar:
            batch, before = clock.next_input(batches, metrics), metrics
            parts = join_parts((batch.clips, batch.labels), mesh)
            state, metrics = train_step(state, key, *parts, spec, options)
            times = clock.end_step(before)
            history.append(Entry(step + 1, metrics, times if step > steps.start else None))
            if (step + 1) % 10 == 0:
                bar.set_postfix(summary(history[-10:]))
            stopping = stop(step)
            if stopping or (step + 1) % options.save_every == 0 or step + 1 == options.num_steps:
                if jax.process_index() == 0:
                    write_history(directory / "history.jsonl", history)
                history.clear()
                progress_of = {"opt_state": state.opt_state}
                save_checkpoint(manager, Checkpoint(spec, state.variables, step + 1, progress_of, notes))
            if stopping and step + 1 < options.num_steps:
                raise KeyboardInterrupt(f"asked to stop; step {step + 1} is saved")
    variables = jax.tree.map(on_one_device, state.variables)
    return Checkpoint(spec, variables, int(state.step), None, notes)


def _identity(clips: ClipSource, start: Any) -> dict[str, Any]:
    """Tells one training from another: SHA-256 of the clips' names and labels and of the starting variables."""
    described = json.dumps([(record.name, record.label) for record in clips.clip_set.records])
    return dict(
        data=hashlib.sha256(described.encode()).hexdigest(), start=None if start is None else fingerprint(start)
    )


def _resume(spec: NetworkSpec, options: TrainOptions, notes: dict[str, Any], directory: Path) -> TrainState | None:
    """The state that an earlier run left, None if there is none."""
    folder = directory / "checkpoints"
    if latest_step(folder) is None:
        return None
    opt_state = jax.eval_shape(lambda: init_state(spec, options).opt_state)
    found = load_checkpoint(folder, spec=spec, progress={"opt_state": opt_state})
    before = dataclasses.asdict(TrainOptions()) | found.origin["options"]
    asked = json.loads(json.dumps(notes["options"]))
    changed = [f"{name}: {before[name]} instead of {value}" for name, value in asked.items() if before[name] != value]
    if changed:
        raise ValueError(
            f"`options` must be those of the run in {directory}; got a difference in {'; '.join(changed)}."
        )
    if found.origin["data"] != notes["data"]:
        raise ValueError(f"`clips` must be those of the run in {directory}; got others.")
    if found.origin.get("start") != notes["start"]:
        raise ValueError(f"`start` must be that of the run in {directory}; got another.")
    return TrainState(jnp.asarray(found.step, jnp.int32), found.variables, found.progress["opt_state"])


def accuracy_by_spectrum(
    spec: NetworkSpec, variables: Any, clips: ClipSource, *, batch_size: int = 32
) -> dict[str, tuple[float, int]]:
    """Share of clips whose predicted class is right, on frames for testing and centre crops.

    Returns:
      By spectrum: (accuracy, number of clips).
    """
    predict = _predictor(spec)
    right: dict[str, list[bool]] = {}
    for batch in ordered_batches(clips, batch_size):
        padded = np.pad(batch.clips, [(0, batch_size - len(batch.clips))] + [(0, 0)] * 4)
        predicted = np.asarray(predict(variables, padded))[: len(batch.labels)]
        for record, hit in zip(batch.records, predicted == batch.labels, strict=True):
            right.setdefault(clips.clip_set.records[record].spectrum, []).append(bool(hit))
    return {spectrum: (float(np.mean(hits)), len(hits)) for spectrum, hits in sorted(right.items())}


def _predictor(spec: NetworkSpec) -> Callable[..., Int[Array, " B"]]:
    start = (spec.size - spec.crop) // 2

    @jax.jit
    def predict(variables, clips):
        cut = clips[:, :, start : start + spec.crop, start : start + spec.crop].astype(jnp.float32) / 255
        return jax.vmap(spec.classifier(variables))(cut).argmax(axis=-1)

    return predict
