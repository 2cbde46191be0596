"""Training: what a step computes, that a run resumes with the same numbers, and what does not fit a run."""

import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import runs
from jaxsal.core.fingerprints import fingerprint
from jaxsal.datasets.pipeline import stream_clips
from jaxsal.training import train as training
from jaxsal.training.accuracy import accuracy_by_spectrum
from jaxsal.training.checkpoint import latest_step
from jaxsal.training.history import average
from jaxsal.training.options import TrainOptions, train_options
from jaxsal.training.train import init_state, train, train_step

CLIPS = runs.loaded()
STUDY = dataclasses.replace(runs.OPTIONS, optimizer="sgd", cropping="multiscale", weight_decay=1e-4)


def read_from_files(split):
    clip_set = runs.clip_set().select(split=split)
    return stream_clips(clip_set, size=runs.SPEC.size, sampler=runs.SPEC.sampler, num_threads=2)


@pytest.mark.parametrize(
    ("options", "clips", "last"),
    [(runs.OPTIONS, CLIPS, 5), (STUDY, CLIPS, 5), (runs.OPTIONS, read_from_files("train"), 3)],
    ids=["adamw", "sgd", "files"],
)
def test_a_killed_run_ends_with_the_same_numbers(options, clips, last, trained_run, tmp_path, monkeypatch):
    """From files or from memory: the run of files resumes from memory."""
    unbroken = trained_run[1] if options == runs.OPTIONS else train(runs.SPEC, options, CLIPS, tmp_path / "unbroken")
    whole = training.training_batches

    def killed(clips, key, steps, batch_size, rows):
        yield from whole(clips, key, range(steps.start, last), batch_size, rows=rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "training_batches", killed)
    with pytest.raises(KeyboardInterrupt):
        train(runs.SPEC, options, clips, tmp_path)
    assert latest_step(tmp_path / "checkpoints") == last - 1
    monkeypatch.undo()
    resumed = train(runs.SPEC, options, CLIPS, tmp_path)
    assert fingerprint(resumed.variables) == fingerprint(unbroken.variables)
    start = init_state(runs.SPEC, options).variables["params"]["fc"]["kernel"]
    assert np.isfinite(resumed.variables["params"]["fc"]["kernel"]).all()
    assert float(np.abs(resumed.variables["params"]["fc"]["kernel"] - start).max()) > 1e-4
    steps = [json.loads(line)["step"] for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_frames_and_steps_draw_from_keys_of_their_own(tmp_path, monkeypatch):
    """The order and the frames of clips, augmentation and dropout: no two of them share a key."""
    given = {}

    def stop(step):
        def replaced(*arguments, **_):
            given[step] = jax.random.key_data(arguments[1])
            if step == "step":
                raise KeyboardInterrupt
            return whole(*arguments, **_)

        return replaced

    whole = training.training_batches
    monkeypatch.setattr(training, "training_batches", stop("clips"))
    monkeypatch.setattr(training, "train_step", stop("step"))
    with pytest.raises(KeyboardInterrupt):
        train(runs.SPEC, runs.OPTIONS, CLIPS, tmp_path)
    start = jax.random.key_data(jax.random.fold_in(jax.random.key(runs.OPTIONS.seed), 0))
    assert len({tuple(np.asarray(key).tolist()) for key in (start, *given.values())}) == 3


def test_a_finished_run_is_not_trained_again(trained_run, monkeypatch):
    monkeypatch.setattr(training, "train_step", None)
    again = train(runs.SPEC, runs.OPTIONS, CLIPS, trained_run[0])
    assert fingerprint(again.variables) == fingerprint(trained_run[1].variables)


def test_it_learns(tmp_path):
    """Direction of motion, told on clips not trained on, in both spectra."""
    options = TrainOptions(num_steps=60, batch_size=8, learning_rate=0.02, save_every=60)
    trained = train(runs.SPEC, options, runs.loaded(per_class=16), tmp_path)
    accuracy = accuracy_by_spectrum(runs.SPEC, trained.variables, runs.loaded("test", per_class=16), batch_size=5)
    assert set(accuracy) == {"IR", "TV"}
    assert all(share >= 0.9 and count == 16 for share, count in accuracy.values())


def test_a_step_against_its_definition():
    """Loss and hits of one step are those of the network in training mode on the augmented batch."""
    options = dataclasses.replace(runs.OPTIONS, flip_prob=0.0)
    spec = dataclasses.replace(runs.SPEC, size=16)
    state = init_state(spec, options)
    clips = np.random.default_rng(0).integers(0, 255, (4, 4, 16, 16, 3), dtype=np.uint8)
    labels = np.array([0, 1, 1, 0], np.int32)
    inputs = (clips / 255 - np.array(spec.mean)) / np.array(spec.std)
    network = jax.jit(lambda v, x: spec.model().apply(v, x, train=True, mutable=["batch_stats"]))
    logits, _ = network(state.variables, jnp.asarray(inputs, jnp.float32))
    losses = -jax.nn.log_softmax(logits)[np.arange(4), labels]
    _, metrics = train_step(state, jax.random.key(0), clips, labels, spec, options)
    np.testing.assert_allclose(metrics["loss"][0], losses.sum(), rtol=1e-4)
    assert [float(part) for part in metrics["accuracy"]] == [int((logits.argmax(-1) == labels).sum()), 4]


def test_another_seed_starts_elsewhere():
    kernels = [init_state(runs.SPEC, dataclasses.replace(runs.OPTIONS, seed=seed)).variables for seed in (0, 1)]
    assert fingerprint(kernels[0]) != fingerprint(kernels[1])


def test_metrics_add_up():
    parts = [{"loss": (jnp.float32(3), jnp.float32(2))}, {"loss": (jnp.float32(1), jnp.float32(6))}]
    assert average(parts) == {"loss": 0.5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(learning_rate=0.02), "`options` must be those of the run in .*learning_rate: 0.01 instead of 0.02"),
        (dict(num_steps=7), "num_steps: 6 instead of 7"),
    ],
)
def test_other_options_do_not_resume(trained_run, change, message):
    with pytest.raises(ValueError, match=message):
        train(runs.SPEC, dataclasses.replace(runs.OPTIONS, **change), CLIPS, trained_run[0])


def test_other_clips_networks_and_starts_do_not_resume(trained_run):
    folder, start = trained_run[0], init_state(runs.SPEC, runs.OPTIONS).variables
    with pytest.raises(ValueError, match="`clips` must be those of the run in .*; got others"):
        train(runs.SPEC, runs.OPTIONS, runs.loaded(per_class=6), folder)
    with pytest.raises(ValueError, match="width: 2 instead of 4"):
        train(dataclasses.replace(runs.SPEC, width=4), runs.OPTIONS, CLIPS, folder)
    with pytest.raises(ValueError, match="`start` must be that of the run in .*; got another"):
        train(runs.SPEC, runs.OPTIONS, CLIPS, folder, start=start)


def test_a_run_of_before_an_option_was_there_resumes(trained_run, tmp_path):
    """Its missing options and its missing start are today's defaults; it has no checksum."""
    shutil.copytree(trained_run[0] / "checkpoints", tmp_path / "checkpoints")
    meta = tmp_path / "checkpoints" / "6" / "meta" / "metadata"
    content = json.loads(meta.read_text())
    for name in ("optimizer", "cropping", "num_epochs"):
        del content["origin"]["options"][name]
    del content["origin"]["start"], content["sha256"]
    meta.write_text(json.dumps(content))
    assert train(runs.SPEC, runs.OPTIONS, CLIPS, tmp_path).step == 6


def test_training_starts_from_given_weights(tmp_path, monkeypatch):
    """The first step gets them as copies, because it gives its buffers up."""

    def stop(state, *_):
        jax.tree.map(np.testing.assert_array_equal, state.variables, start)
        jax.tree.map(lambda leaf: leaf.delete(), state.variables)
        raise KeyboardInterrupt

    start = init_state(runs.SPEC, dataclasses.replace(runs.OPTIONS, seed=5)).variables
    monkeypatch.setattr(training, "train_step", stop)
    with pytest.raises(KeyboardInterrupt):
        train(runs.SPEC, runs.OPTIONS, CLIPS, tmp_path, start=start)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(start))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(num_steps=0), "`num_steps` must be at least 1; got 0"),
        (dict(learning_rate=0.0), "`learning_rate` must be above 0; got 0.0"),
        (dict(weight_decay=-1.0), "`weight_decay` must be at least 0; got -1.0"),
        (dict(num_epochs=0), "`num_epochs` must be at least 1; got 0"),
        (dict(optimizer="adam"), r"`optimizer` must be one of \('adamw', 'sgd'\); got 'adam'"),
        (dict(cropping="centre"), r"`cropping` must be one of \('random', 'multiscale'\); got 'centre'"),
        (dict(flip_prob=1.2), r"`flip_prob` must be in \[0, 1\]; got 1.2"),
    ],
)
def test_bad_options(change, message, no_shape_checks):
    with pytest.raises(ValueError, match=message):
        TrainOptions(**change)


def test_epochs_are_whole_batches():
    """50 epochs of 100 clips in batches of 22: 4 each."""
    options = train_options("icpr2022")
    assert options.on_clips(100).num_steps == 200
    assert options.on_clips(3).num_steps == 50
    assert train_options("icpr2022", num_steps=7).on_clips(100).num_steps == 7


def test_recipes_and_what_replaces_them(no_shape_checks):
    assert train_options() == TrainOptions()
    options = train_options("icpr2022", learning_rate=0.0034)
    assert (options.optimizer, options.cropping, options.num_epochs) == ("sgd", "multiscale", 50)
    assert (options.batch_size, options.learning_rate, options.weight_decay) == (22, 0.0034, 1e-4)
    with pytest.raises(ValueError, match="`recipe` must be one of .*icpr2022.*; got 'paper'"):
        train_options("paper")
