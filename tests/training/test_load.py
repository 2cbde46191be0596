"""A trained classifier out of its folder, and recordings as it takes them."""

import copy
import dataclasses

import jax
import numpy as np
import pytest

import jaxsal
import runs
import toys
from jaxsal.datasets.recordings.excerpt import Excerpt
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.convert import save_as_run
from jaxsal.training.load import load
from jaxsal.training.recorded import read_clip
from jaxsal.training.torch_file import write_for_torch

FRAMES = runs.moving_bar(1, 3, False)


@pytest.fixture
def recording(tmp_path):
    np.save(tmp_path / "bar.npy", FRAMES)
    return tmp_path / "bar.npy"


def test_a_run_its_checkpoints_and_a_converted_file_are_the_same_classifier(tmp_path):
    folder, file = tmp_path / "run", tmp_path / "net.safetensors"
    drawn = toys.drawn(runs.RESNET.model(), runs.RESNET.clip_shape)
    checkpoint = Checkpoint(runs.RESNET, drawn, 0, None, {})
    save_as_run(checkpoint, folder)
    write_for_torch(checkpoint, file)
    expected = jax.tree.leaves(checkpoint.classifier)
    for place in (folder, str(folder), folder / "checkpoints", file):
        classifier = load(place)
        assert (classifier.classes, classifier.spec) == (runs.CLASSES, runs.RESNET)
        jax.tree.map(np.testing.assert_array_equal, jax.tree.leaves(classifier), expected)
    for place in (folder, file):
        assert load(place, classes=("left", "right")).classes == ("left", "right")
    with pytest.raises(ValueError, match=r"`classes` must be 2 different names, one for each logit; got \('left',\)"):
        load(folder, classes=["left"])


def test_what_is_shown_of_a_classifier_is_short(trained_run):
    classifier = load(trained_run[0])
    text = repr(classifier)
    assert text.startswith("Classifier(tiny, trained on IRTV, clips (4, 16, 16, 3); ")
    assert text.endswith(" weights, float32; 2 classes: down, up)")
    assert repr(trained_run[1]) == f"Checkpoint(step 6: {classifier!r})"
    many = jaxsal.Classifier.from_functions(
        lambda params, clip: clip,
        lambda params, a: a[0, 0, 0],
        {"a": np.zeros(2_000_000)},
        classes=[str(n) for n in range(400)],
    )
    assert len(repr(many)) < 200


def test_names_and_spec_are_no_part_of_a_program(trained_run):
    classifier = load(trained_run[0])
    other = jax.tree.map(lambda leaf: leaf, classifier)
    assert (other.classes, other.spec) == ((), None)
    assert jax.tree.structure(other) == jax.tree.structure(classifier)
    assert classifier.with_precision("bfloat16").classes == runs.CLASSES


def test_a_clip_is_cut_as_the_network_is_tested(trained_run, recording):
    clip = read_clip(recording, load(trained_run[0]), spectrum="TV", fps=5)
    np.testing.assert_array_equal(clip, runs.SPEC.centre_clip(FRAMES))
    np.testing.assert_array_equal(clip.frames, [1, 2, 3, 4])
    np.testing.assert_allclose(clip.times, [0.2, 0.4, 0.6, 0.8])
    assert (clip / 2).times is None
    assert jaxsal.gradcam(load(trained_run[0]), clip, "up").shape == (4, 16, 16)


def test_a_clip_for_a_model_of_your_own(recording, tmp_path):
    whole = read_clip(recording)
    np.testing.assert_array_equal(whole, FRAMES.astype(np.float32) / 255)
    assert whole.times is None
    assert read_clip(recording, num_frames=2, size=10).shape == (2, 10, 10, 3)
    part = read_clip(recording, start=2, stop=5, num_frames=1, size=10, crop=8, fps=2)
    assert part.shape == (1, 8, 8, 3)
    assert part.times.tolist() == [1.5]
    np.save(tmp_path / "ir.npy", np.linspace(100, 200, 24, dtype=np.int16).reshape(2, 3, 4))
    raw = read_clip(tmp_path / "ir.npy", value_range=(100, 200))
    assert (raw.shape, float(raw.min()), float(raw.max())) == ((2, 3, 4, 3), 0.0, 1.0)


def test_a_video_says_when_its_frames_were_taken(tmp_path):
    import av

    with av.open(tmp_path / "bar.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 24, 20, "yuv420p"
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    np.testing.assert_allclose(read_clip(tmp_path / "bar.mp4", start=2).times, [0.08, 0.12, 0.16, 0.20])


def test_a_spectrum_that_the_network_does_not_know_is_said(trained_run, recording):
    classifier = copy.copy(load(trained_run[0]))
    spec = runs.SPEC.__class__(**(vars(runs.SPEC) | {"spectra": "TV"}))
    object.__setattr__(classifier, "spec", spec)
    with pytest.warns(UserWarning, match="The network was trained on TV, not on IR."):
        read_clip(recording, classifier, spectrum="IR")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(num_frames=0), "`num_frames` must be at least 1; got 0"),
        (dict(crop=4), "`crop` must come with `size`; got 4 alone"),
        (dict(size=8, crop=9), r"`crop` must be in 1\.\.`short_side`, 8; got 9"),
        (dict(fps=0.0), "`fps` must be above 0; got 0.0"),
        (dict(start=9), "`start` must be below 6, the frames of .*; got 9"),
    ],
)
def test_bad_options_of_a_clip(recording, options, message):
    with pytest.raises(ValueError, match=message):
        read_clip(recording, **options)


def test_frames_are_said_once(trained_run, recording):
    with pytest.raises(ValueError, match=r"`size` must be left out for a classifier of clips \(4, 16, 16, 3\); got 8"):
        read_clip(recording, load(trained_run[0]), size=8)
    own = jaxsal.Classifier.from_functions(lambda params, clip: clip, lambda params, a: a[0, 0, 0], {})
    with pytest.raises(ValueError, match=r"`classifier` must be one of jaxsal.load; got a model of your own"):
        read_clip(recording, own)


def test_a_folder_without_a_checkpoint_says_how_to_get_one(trained_run, tmp_path):
    with pytest.raises(FileNotFoundError, match="got .*none. `jaxsal demo`, `jaxsal train` and `jaxsal convert` make"):
        load(tmp_path / "none")
    folder = trained_run[0]
    with pytest.raises(FileNotFoundError, match=f"got {folder.parent}. There is one in "):
        load(folder.parent)


def test_a_network_of_one_channel_gets_the_brightness(recording):
    spec = dataclasses.replace(runs.SPEC, mean=(0.5,), std=(0.5,))
    classifier, colour = spec.untrained(), read_clip(recording, runs.SPEC.untrained())
    clip = read_clip(recording, classifier)
    assert clip.shape == (4, 16, 16, 1)
    np.testing.assert_allclose(clip[..., 0], colour @ np.float32([0.2989, 0.587, 0.1141]), atol=1e-6)
    many = dataclasses.replace(runs.SPEC, mean=(0.5,) * 4, std=(0.5,) * 4).untrained()
    with pytest.raises(ValueError, match=r"`clip` must be an array of 4 channels, \(T, H, W, 4\); got one recording"):
        read_clip(recording, many)


def test_windows_of_a_long_recording_are_read_one_by_one(trained_run, recording, monkeypatch):
    classifier = load(trained_run[0])
    windows = jaxsal.read_windows(recording, classifier, window=4, hop=1, fps=10)
    read = []
    monkeypatch.setattr(Excerpt, "read", lambda excerpt, own=Excerpt.read: read.append(excerpt.frames) or own(excerpt))
    assert (len(windows), read) == (3, [])
    np.testing.assert_array_equal(windows[1], classifier.spec.centre_clip(FRAMES[1:5]))
    np.testing.assert_allclose(windows[-1].times, [0.2, 0.3, 0.4, 0.5])
    assert read == [(1, 2, 3, 4), (2, 3, 4, 5)]
    assert [clip.frames[0] for clip in windows[:2]] == [0, 1]
