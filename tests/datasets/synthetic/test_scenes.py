"""The embedded action set: the same scenes in both spectra; place, brightness and single frames give nothing away."""

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
@pytest.mark.parametrize(("first", "second"), ACTION_PAIRS[:2])
def test_a_pair_is_one_motion_in_both_directions_of_time(first, second, spectrum):
    forward = actor_mask(first, 1, 0, 0, spectrum, **SMALL)
    backward = actor_mask(second, 1, 0, 0, spectrum, **SMALL)

    np.testing.assert_array_equal(forward, backward[::-1])
    assert (forward != backward).any()


@pytest.mark.parametrize("pair", ACTION_PAIRS)
def test_room_and_view_are_the_same_in_both_actions_of_a_pair(pair):
    options = dict(seed=0, num_frames=16, height=48)
    clips = np.array([render_clip(action, 5, 1, 0, "IR", **options)[..., 0] for action in pair], float)
    mask = actor_mask(pair[0], 5, 1, 0, "IR", **options).any(axis=0)
    touched = np.pad(mask, 1)
    touched = np.any([np.roll(touched, step, axis) for axis in (0, 1) for step in (-1, 0, 1)], axis=0)[1:-1, 1:-1]

    change = np.abs(clips[0] - clips[1])

    assert change.mean(axis=0)[~touched].mean() < 5  # noise of 3 grey levels in both
    assert change[:, mask].max() > 60


@pytest.mark.parametrize("spectrum", ["IR", "TV"])
def test_the_actor_is_anywhere_in_the_centred_square_and_never_out_of_it(spectrum):
    """Of each clip at least 0.7 of the actor is in the square, and on average over clips all parts of it see him."""
    places = []
    for actor in range(16):
        for action, _ in ACTION_PAIRS:
            mask = actor_mask(action, actor, actor % 2, 0, spectrum, **SMALL)
            side = (mask.shape[2] - 36) // 2
            crop = mask[:, :, side:-side]
            assert crop.sum() > 0.7 * mask.sum()
            assert crop.mean(axis=(1, 2)).min() > 0.02
            places.append([np.mean(axis) / 36 for axis in np.nonzero(crop)[1:]])

    rows, columns = np.array(places).T
    assert np.ptp(rows) > 0.25
    assert np.ptp(columns) > 0.5
    assert abs(columns.mean() - 0.5) < 0.06


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
    assert len({record.name for record in clips.records}) == len(clips.records) == 8 * 48 * 2 * 2
    for record in clips.records:
        assert record.name.startswith(ACTIONS[record.label])
        assert record.name.endswith(record.spectrum)
        assert record.actor in record.name
        assert (record.split == "test") == (record.actor >= "actor32")


def test_records_load_their_clip_also_after_pickling():
    clips = synthetic_actions(num_frames=2, height=24, actors=[40])
    record = next(r for r in clips.records if r.name == "lower_arms-actor40-cam0-take0-TV")

    frames = pickle.loads(pickle.dumps(record)).load()

    expected = render_clip("lower_arms", 40, 0, 0, "TV", seed=0, num_frames=2, height=24)
    np.testing.assert_array_equal(frames, expected)
    mask = actor_mask("lower_arms", 40, 0, 0, "TV", seed=0, num_frames=2, height=24)
    np.testing.assert_array_equal(record.load_mask(), mask)
    assert record.split == "test"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": "jump"}, r"`action` must be one of \('sit_down', .*; got 'jump'"),
        ({"spectrum": "UV"}, r"`spectrum` must be one of \('IR', 'TV'\); got 'UV'"),
        ({"actor": 48}, r"`actor` must be in 0\.\.47; got 48"),
        ({"camera": 2}, r"`camera` must be 0 or 1; got 2"),
        ({"take": -1}, r"`take` must be at least 0; got -1"),
        ({"seed": -1}, r"`seed` must be from 0 to 4294967295; got -1"),
        ({"num_frames": 0}, r"`num_frames` must be at least 1; got 0"),
        ({"height": 0}, r"`height` must be at least 1; got 0"),
    ],
)
def test_bad_arguments_are_named(change, message):
    good = dict(action="sit_down", actor=0, camera=0, take=0, spectrum="IR", **SMALL)

    for function in (render_clip, actor_mask):
        with pytest.raises(ValueError, match=message):
            function(**good | change)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"takes": 0}, "`takes` must be at least 1; got 0"),
        ({"actors": [3, 50]}, r"`actor` must be in 0\.\.47; got 50"),
        ({"height": -4}, "`height` must be at least 1; got -4"),
    ],
)
def test_a_bad_set_is_refused_before_it_is_loaded(options, message):
    with pytest.raises(ValueError, match=message):
        synthetic_actions(**options)


@pytest.mark.parametrize("count", [8, 16])
def test_a_few_test_clips_are_of_as_many_people_and_of_both_views(count):
    records = synthetic_actions(height=16).select(split="test", spectra=("IR",)).records

    chosen = spread(records, count)

    assert [record.label for record in chosen] == [label for label in range(8) for _ in range(count // 8)]
    assert len({record.actor for record in chosen}) == count
    assert sum("cam1" in record.name for record in chosen) == count // 2
