"""Scenes in both spectra: pairs of one set, frames of the same moments, augmented alike."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import layouts
import runs
from jaxsal.datasets.fused import clips_for, fused_scenes, same_moments
from jaxsal.datasets.paired import paired_actions
from jaxsal.datasets.pipeline import load_clips, stream_clips, training_batch
from jaxsal.datasets.synthetic import synthetic_actions
from jaxsal.training.augment import augment, with_dropped_spectra
from jaxsal.training.options import TrainOptions

SPEC = dataclasses.replace(runs.SPEC, spectra="FUSED", classes=runs.CLASSES)


def test_scenes_are_the_pairs_of_a_set():
    clip_set = fused_scenes(runs.clip_set())
    assert [record.name for record in clip_set.records[:2]] == ["down-0-FUSED", "up-0-FUSED"]
    assert len(clip_set.records) == len(runs.clip_set().records) // 2
    frames = clip_set.records[0].load()
    np.testing.assert_array_equal(frames["IR"], runs.moving_bar(0, [0, 0], True))
    np.testing.assert_array_equal(frames["TV"], runs.moving_bar(0, [0, 0], False))
    assert {record.split for record in clips_for(runs.clip_set(), "FUSED", split="test").records} == {"test"}


def test_recordings_in_one_spectrum_are_left_out(tmp_path):
    clip_set = fused_scenes(paired_actions(layouts.recordings_folder(tmp_path)))
    assert [record.scene for record in clip_set.records] == ["r0:row 2", "r1:row 3"]


def test_a_set_of_one_spectrum_has_no_scene():
    with pytest.raises(ValueError, match="`spectra` must be IR, TV or IRTV for a set without a scene in both spectra"):
        clips_for(runs.clip_set().select(spectra=("IR",)), "FUSED")


def test_the_embedded_actor_is_known_in_both_spectra():
    record = fused_scenes(synthetic_actions(num_frames=4, height=16, actors=[0])).records[0]
    masks = record.load_mask()
    assert {name: mask.shape[:2] for name, mask in masks.items()} == {"IR": (4, 16), "TV": (4, 16)}
    assert record.actor == "actor00"


def test_frames_are_of_the_same_moments():
    """Of 11 infrared frames and 21 visible ones, twice as many a second, every second one."""
    chosen = same_moments({"IR": 11, "TV": 21}, lambda length: np.arange(3, 7))
    assert (chosen["IR"].tolist(), chosen["TV"].tolist()) == ([3, 4, 5, 6], [6, 8, 10, 12])
    equal = same_moments({"IR": 7, "TV": 7}, lambda length: np.array([0, 2, 6]))
    assert equal["IR"].tolist() == equal["TV"].tolist() == [0, 2, 6]


@pytest.mark.parametrize("read", [load_clips, stream_clips])
def test_batches_hold_both_spectra_of_the_same_frames(read):
    clips = read(clips_for(runs.clip_set(), "FUSED", split="train"), size=18, sampler=SPEC.sampler)
    batch = training_batch(clips, jax.random.key(0), 0, 4)
    assert {name: part.shape for name, part in batch.clips.items()} == {
        "IR": (4, 4, 18, 18, 1),
        "TV": (4, 4, 18, 18, 3),
    }
    bars = {name: (part.mean(axis=-1) > 150).mean(axis=3).argmax(axis=2) for name, part in batch.clips.items()}
    np.testing.assert_allclose(bars["IR"], bars["TV"], atol=1)  # the bar moves three rows a frame


@pytest.mark.parametrize("cropping", ["random", "multiscale"])
def test_augmentation_keeps_the_pair_aligned(cropping):
    grey = np.random.default_rng(0).integers(0, 255, (3, 12, 12, 1), dtype=np.uint8)
    scene = {"IR": jnp.asarray(grey), "TV": jnp.asarray(np.repeat(grey, 3, axis=-1))}
    options = TrainOptions(cropping=cropping)
    cuts = [augment(jax.random.key(seed), scene, 8, options) for seed in range(8)]
    for cut in cuts:
        np.testing.assert_allclose(cut["TV"], np.repeat(cut["IR"], 3, axis=-1), atol=1e-6)
    assert len({np.asarray(cut["IR"]).tobytes() for cut in cuts}) > 4


def test_a_spectrum_is_dropped_now_and_then():
    """With the chance 1/2 a scene loses one spectrum, each in a quarter of the scenes, never both."""
    scenes = {"IR": jnp.ones((4_000, 1, 1, 1, 1)), "TV": jnp.ones((4_000, 1, 1, 1, 3))}
    kept = with_dropped_spectra(jax.random.key(0), scenes, 0.5)
    lost = {name: np.asarray(part).max(axis=(1, 2, 3, 4)) == 0 for name, part in kept.items()}
    assert not (lost["IR"] & lost["TV"]).any()
    for share in (lost["IR"].mean(), lost["TV"].mean()):
        assert share == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / 4_000))
    assert jax.tree.all(
        jax.tree.map(lambda part: (part == 1).all(), with_dropped_spectra(jax.random.key(0), scenes, 0))
    )
