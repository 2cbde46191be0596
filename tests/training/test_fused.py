"""Networks of both spectra are trained, saved, opened again, and take scenes alone."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

import runs
from jaxsal import load, read_clip, read_scene
from jaxsal.core.fingerprints import fingerprint
from jaxsal.datasets.fused import clips_for
from jaxsal.datasets.pipeline import load_clips
from jaxsal.models import StackedChannels, TwoStream, init_variables
from jaxsal.training.accuracy import accuracy_by_spectrum
from jaxsal.training.checkpoint import Checkpoint, open_checkpoint
from jaxsal.training.train import train
from jaxsal.training.transfer import is_trained, transferred

STREAMS = dataclasses.replace(runs.SPEC, spectra="FUSED")
CHANNELS = dataclasses.replace(STREAMS, fusion="channels")
OPTIONS = dataclasses.replace(runs.OPTIONS, reversals=(("down", "up"),), drop_spectrum=0.5)


def scenes(split):
    return load_clips(clips_for(runs.clip_set(), "FUSED", split=split), size=18, sampler=STREAMS.sampler)


@pytest.mark.parametrize(("spec", "kind"), [(STREAMS, TwoStream), (CHANNELS, StackedChannels)])
def test_a_fused_network_is_trained_and_opened_again(spec, kind, tmp_path):
    options = dataclasses.replace(OPTIONS, num_steps=2)
    trained = train(spec, options, scenes("train"), tmp_path)
    assert isinstance(spec.model(), kind)
    assert fingerprint(open_checkpoint(tmp_path).variables) == fingerprint(trained.variables)
    again = train(spec, options, scenes("train"), tmp_path)  # there is no step left
    assert fingerprint(again.variables) == fingerprint(trained.variables)
    accuracy = accuracy_by_spectrum(spec, trained.variables, scenes("test"))
    assert list(accuracy) == ["FUSED"]
    assert accuracy["FUSED"][1] == 4
    logits = partial(jax.jit(lambda classifier, scene: classifier(scene)), load(tmp_path))
    scene = spec.centre_clip(scenes("test").clip_set.records[0].load())
    assert {name: part.shape for name, part in scene.items()} == {"IR": (4, 16, 16, 1), "TV": (4, 16, 16, 3)}
    assert logits(scene).shape == (2,)
    assert np.abs(logits(scene) - logits(scene | {"IR": 1 - scene["IR"]})).max() > 1e-6
    assert logits.func(spec.untrained(), scene).tolist() == [0, 0]


def test_a_scene_is_read_from_two_recordings(tmp_path):
    """Twice as many visible frames a second: every second one goes with an infrared frame."""
    bar = runs.moving_bar(0, 0, True)
    np.save(tmp_path / "ir.npy", bar[..., 0])
    np.save(tmp_path / "tv.npy", np.repeat(bar, 2, axis=0)[:-1])
    paths = {"IR": tmp_path / "ir.npy", "TV": tmp_path / "tv.npy"}
    scene = read_scene(paths, STREAMS.untrained(), fps={"IR": 5, "TV": 10})
    assert {name: part.shape for name, part in scene.items()} == {"IR": (4, 16, 16, 1), "TV": (4, 16, 16, 3)}
    assert (scene["IR"].frames.tolist(), scene["TV"].frames.tolist()) == ([1, 2, 3, 4], [2, 4, 6, 8])
    np.testing.assert_allclose(scene["IR"][..., 0], scene["TV"][..., 0])
    with pytest.raises(
        ValueError, match="`classifier` must take one spectrum; got one of both, see `jaxsal.read_scene`"
    ):
        read_clip(tmp_path / "tv.npy", STREAMS.untrained())
    with pytest.raises(ValueError, match="`classifier` must take both spectra, as"):
        read_scene(paths, runs.SPEC.untrained())
    with pytest.raises(ValueError, match=r"`paths` must be of the spectra \('IR', 'TV'\); got \('TV',\)"):
        read_scene({"TV": tmp_path / "tv.npy"}, STREAMS.untrained())


def test_recordings_must_be_of_the_spectra_of_the_network():
    frames = runs.moving_bar(0, 0, False)
    with pytest.raises(
        ValueError, match=r"`clip` must be in the spectra \('IR', 'TV'\) for a network of FUSED; got one"
    ):
        STREAMS.centre_clip(frames)
    with pytest.raises(ValueError, match="`clip` must be in one spectrum for a network of IRTV; got"):
        runs.SPEC.centre_clip({"IR": frames, "TV": frames})


@pytest.fixture(scope="module")
def grey():
    """A trained network of colour clips that treats all colours alike before its first layer, and a grey scene."""
    spec = dataclasses.replace(runs.SPEC, mean=(0.4, 0.4, 0.4), std=(0.2, 0.3, 0.4))
    variables = init_variables(spec.model(), jax.random.key(1), spec.batch_shape)
    infrared, visible = np.random.default_rng(0).random((2, *spec.clip_shape), np.float32)
    return Checkpoint(spec, variables, 0, None, {}), {"IR": infrared[..., :1], "TV": visible}


def test_a_fused_network_starts_as_the_mean_of_what_its_network_says_of_either_clip(grey):
    start, scene = grey
    single = start.spec.classifier(start.variables)
    expected = (single(np.repeat(scene["IR"], 3, axis=-1)) + single(scene["TV"])) / 2
    spec = dataclasses.replace(start.spec, spectra="FUSED")
    np.testing.assert_allclose(spec.classifier(transferred(spec, start))(scene), expected, atol=1e-5)
    renamed = dataclasses.replace(spec, classes=("left", "right"))
    assert np.abs(renamed.classifier(transferred(renamed, start))(scene) - expected).max() > 1e-3


def test_stacked_channels_start_with_half_of_the_first_layer_for_each_spectrum(grey):
    """Of a scene that is the same grey in both spectra the network says what it says of the clip."""
    start, scene = grey
    spec = dataclasses.replace(start.spec, spectra="FUSED", fusion="channels")
    clip = np.repeat(scene["IR"], 3, axis=-1)
    logits = spec.classifier(transferred(spec, start))({"IR": scene["IR"], "TV": clip})
    np.testing.assert_allclose(logits, start.spec.classifier(start.variables)(clip), atol=1e-5)


def test_parts_of_a_fused_network_are_trained_in_both_streams():
    params = {part: {"layer4_0": 0, "stem_conv": 0} for part in ("infrared", "visible")} | {
        "joint": {"fc": {"bias": 0}}
    }
    stage, stem = {"layer4_0": True, "stem_conv": False}, {"layer4_0": False, "stem_conv": False}
    joint = {"joint": {"fc": {"bias": True}}}
    assert is_trained(params, STREAMS, "last") == {"infrared": stage, "visible": stage} | joint
    assert is_trained(params, STREAMS, "head") == {"infrared": stem, "visible": stem} | joint
