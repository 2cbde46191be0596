"""The embedded action set: the same scenes in both spectra, told apart by motion alone."""

import pickle

import numpy as np
import pytest

from jaxsal.datasets.records import spread
from jaxsal.datasets.synthetic.scenes import (
    ACTION_PAIRS,
    ACTIONS,
    actor_mask,
    render_clip,
    render_scene,
    synthetic_actions,
)

SMALL = dict(seed=0, num_frames=4, height=36)


def test_a_scene_has_the_sensors_shapes():
    scene = render_scene("sit_down", 3, 1, num_frames=1)

    assert scene.infrared.shape == (1, 480, 640, 3)
    assert scene.visible.shape == (1, 540, 960, 3)
    assert scene.infrared_mask.shape == (1, 480, 640)
    assert scene.visible_mask.shape == (1, 540, 960)
    assert scene.infrared.dtype == scene.visible.dtype == np.uint8
    np.testing.assert_array_equal(scene.infrared[..., 0], scene.infrared[..., 2])
    assert (scene.visible[..., 0] != scene.visible[..., 2]).any()


@pytest.mark.parametrize("camera", [0, 1])
def test_both_spectra_show_the_same_geometry_and_the_visible_more_of_it(camera):
    infrared = actor_mask("raise_arms", 2, camera, 0, "IR", **SMALL)
    visible = actor_mask("raise_arms", 2, camera, 0, "TV", **SMALL)

    assert (infrared.shape[2], visible.shape[2]) == (48, 64)
    np.testing.assert_array_equal(infrared, visible[:, :, 8:-8])


def test_the_geometry_is_the_same_at_every_scale():
    small = actor_mask("walk_forward", 4, 0, 0, "TV", **SMALL)
    large = actor_mask("walk_forward", 4, 0, 0, "TV", **SMALL | {"height": 180})

    reduced = large.reshape(4, 36, 5, 64, 5).mean(axis=(2, 4)) > 0.5
    assert (small & reduced).sum() > 0.95 * (small | reduced).sum()


@pytest.mark.parametrize("spectrum", ["IR", "TV"])
@pytest.mark.parametrize(("first", "second"), ACTION_PAIRS)
def test_a_pair_is_one_motion_in_both_directions_of_time(first, second, spectrum):
    forward = actor_mask(first, 1, 0, 0, spectrum, **SMALL)
    backward = actor_mask(second, 1, 0, 0, spectrum, **SMALL)

    np.testing.assert_array_equal(forward, backward[::-1])
    assert (forward != backward).any()


def test_the_room_does_not_depend_on_the_action():
    options = dict(seed=0, num_frames=16, height=48)
    clips = [render_clip(action, 5, 1, 0, "IR", **options).mean(axis=(0, 3)) for action in ACTIONS]
    touched = np.any([actor_mask(action, 5, 1, 0, "IR", **options).any(axis=0) for action in ACTIONS], axis=0)
    touched[:, 1:] |= touched[:, :-1].copy()  # the drawn edge is a pixel wider than the mask
    touched[:, :-1] |= touched[:, 1:].copy()
    touched[1:] |= touched[:-1].copy()
    touched[:-1] |= touched[1:].copy()

    spread = np.ptp(clips, axis=0)

    assert spread[~touched].max() < 8  # noise of 3 grey levels, averaged over 16 frames
    assert spread[touched].max() > 60


@pytest.mark.parametrize("spectrum", ["IR", "TV"])
@pytest.mark.parametrize("camera", [0, 1])
def test_a_centred_square_crop_keeps_the_whole_actor(camera, spectrum):
    for actor in range(10):
        for action, _ in ACTION_PAIRS:
            mask = actor_mask(action, actor, camera, 0, spectrum, **SMALL)
            side = (mask.shape[2] - 36) // 2
            crop = mask[:, :, side:-side]
            assert crop.sum() == mask.sum()
            assert not crop[:, [0, -1]].any()
            assert crop.mean(axis=(1, 2)).min() > 0.04


def test_the_actor_is_warm_within_the_mask():
    for actor in range(10):
        clip = render_clip("bend_down", actor, 0, 0, "IR", **SMALL)[..., 0]
        mask = actor_mask("bend_down", actor, 0, 0, "IR", **SMALL)
        assert clip[mask].mean() > clip[~mask].mean() + 50


def test_a_clip_depends_on_its_own_numbers_alone():
    base = ("sit_down", 3, 1, 0, "IR")
    clip = render_clip(*base, **SMALL)
    others = [
        render_clip("stand_up", 3, 1, 0, "IR", **SMALL),
        render_clip("sit_down", 4, 1, 0, "IR", **SMALL),
        render_clip("sit_down", 3, 0, 0, "IR", **SMALL),
        render_clip("sit_down", 3, 1, 1, "IR", **SMALL),
        render_clip(*base, **SMALL | {"seed": 1}),
    ]

    np.testing.assert_array_equal(clip, render_clip(*base, **SMALL))
    for other in others:
        assert (np.abs(clip.astype(int) - other) > 30).any()


def test_the_set_has_every_scene_in_both_spectra_and_splits_by_actor():
    clips = synthetic_actions(takes=2)

    assert clips.classes == ACTIONS
    assert len({record.name for record in clips.records}) == len(clips.records) == 8 * 10 * 2 * 2 * 2
    for record in clips.records:
        assert record.name.startswith(ACTIONS[record.label])
        assert record.name.endswith(record.spectrum)
        assert (record.split == "test") == ("actor08" in record.name or "actor09" in record.name)


def test_records_load_their_clip_also_after_pickling():
    clips = synthetic_actions(num_frames=2, height=24, actors=[9])
    record = next(r for r in clips.records if r.name == "lower_arms-actor09-cam1-take0-TV")

    frames = pickle.loads(pickle.dumps(record)).load()

    expected = render_clip("lower_arms", 9, 1, 0, "TV", seed=0, num_frames=2, height=24)
    np.testing.assert_array_equal(frames, expected)
    mask = actor_mask("lower_arms", 9, 1, 0, "TV", seed=0, num_frames=2, height=24)
    np.testing.assert_array_equal(record.load_mask(), mask)
    assert record.split == "test"


def thumbnails(spectrum, actors):
    """Clips of 16 thumbnails of 12x12 centred pixels: (actors and cameras, action, frame, pixel)."""
    crop = {"IR": slice(4, -4), "TV": slice(9, -10)}[spectrum]
    clips = [
        [
            render_clip(action, actor, camera, 0, spectrum, seed=0, num_frames=16, height=24)[:, :, crop].mean(-1)
            for action in ACTIONS
        ]
        for actor in actors
        for camera in (0, 1)
    ]
    blocks = np.array(clips).reshape(len(clips), 8, 16, 12, 2, 12, 2).mean(axis=(4, 6))
    return blocks.reshape(len(clips), 8, 16, 144) / 255


def ridge_accuracy(train, test):
    """Accuracy of a ridge classifier of sign; inputs (scene, 2 classes, sample, feature)."""
    signs = np.array([1.0, -1.0])[:, None]
    features = train.reshape(-1, train.shape[-1])
    mean = features.mean(axis=0)
    target = np.broadcast_to(signs, train.shape[:3]).ravel()
    gram = (features - mean).T @ (features - mean) + np.eye(len(mean))
    weights = np.linalg.solve(gram, (features - mean).T @ target)
    return ((((test - mean) @ weights) > 0) == (signs > 0)).mean()


@pytest.mark.network
@pytest.mark.parametrize("spectrum", ["IR", "TV"])
def test_motion_tells_a_pair_apart_and_single_frames_do_not(spectrum):
    train, test = thumbnails(spectrum, range(8)), thumbnails(spectrum, (8, 9))

    def motion(clips):  # within the halves of a clip that start at frames 0, 4 and 8
        return np.stack([clips[:, :, s + 5 : s + 8].mean(2) - clips[:, :, s : s + 3].mean(2) for s in (0, 4, 8)], 2)

    for first in range(0, 8, 2):
        pair = slice(first, first + 2)
        assert 0.4 < ridge_accuracy(train[:, pair], test[:, pair]) < 0.6
        assert ridge_accuracy(motion(train)[:, pair], motion(test)[:, pair]) > 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": "jump"}, r"`action` must be one of \('sit_down', .*; got 'jump'"),
        ({"spectrum": "UV"}, r"`spectrum` must be one of \('IR', 'TV'\); got 'UV'"),
        ({"actor": 10}, r"`actor` must be in 0\.\.9; got 10"),
        ({"camera": 2}, r"`camera` must be 0 or 1; got 2"),
        ({"take": -1}, r"`take` must be at least 0; got -1"),
        ({"seed": -1}, r"`seed` must be at least 0; got -1"),
        ({"num_frames": 0}, r"`num_frames` must be at least 1; got 0"),
        ({"height": 0}, r"`height` must be at least 1; got 0"),
    ],
)
@pytest.mark.parametrize("function", [render_clip, actor_mask])
def test_bad_arguments_are_named(function, change, message):
    good = dict(action="sit_down", actor=0, camera=0, take=0, spectrum="IR", **SMALL)

    with pytest.raises(ValueError, match=message):
        function(**good | change)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"takes": 0}, "`takes` must be at least 1; got 0"),
        ({"actors": [3, 12]}, r"`actor` must be in 0\.\.9; got 12"),
        ({"height": -4}, "`height` must be at least 1; got -4"),
    ],
)
def test_a_bad_set_is_refused_before_it_is_loaded(options, message):
    with pytest.raises(ValueError, match=message):
        synthetic_actions(**options)


def test_a_few_test_clips_already_are_of_all_people_and_views_and_no_two_of_one_performance():
    records = synthetic_actions(height=16).select(split="test", spectra=("IR",)).records
    pairs = {action: number for number, pair in enumerate(ACTION_PAIRS) for action in pair}
    for count in (8, 16):
        chosen = [record.name.split("-", 1) for record in spread(records, count)]
        assert [action for action, _ in chosen] == [action for action in ACTIONS for _ in range(count // 8)]
        assert len({scene for _, scene in chosen}) == 4
        assert len({(pairs[action], scene) for action, scene in chosen}) == count
