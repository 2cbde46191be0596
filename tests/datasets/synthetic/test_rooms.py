"""The room of the synthetic clips: what a camera sees of it, and what moves in it."""

import numpy as np
import pytest

from jaxsal.datasets.synthetic.rendering import make_camera
from jaxsal.datasets.synthetic.rooms import HIGH, LOW, backdrop, make_room, moving_distractor

CAMERA = make_camera(azimuth=20.0, distance=4.5, elevation=1.6, extent=2.6)
SEEDS = range(3)


def room_of(seed):
    return make_room(np.random.default_rng(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_backdrops_stay_in_range(seed):
    thermal = backdrop(room_of(seed), CAMERA, "IR", 24, 32)
    visible = backdrop(room_of(seed), CAMERA, "TV", 27, 48)

    assert thermal.shape == (24, 32, 1)
    assert visible.shape == (27, 48, 3)
    assert thermal.dtype == visible.dtype == np.float32
    assert 8 < thermal.min() < thermal.max() < 42
    assert 0 <= visible.min() < visible.max() < 2


@pytest.mark.parametrize("spectrum", ["IR", "TV"])
def test_a_backdrop_looks_the_same_at_every_scale(spectrum):
    small = backdrop(room_of(1), CAMERA, spectrum, 24, 32)
    large = backdrop(room_of(1), CAMERA, spectrum, 96, 128)

    reduced = large.reshape(24, 4, 32, 4, -1).mean(axis=(1, 3))
    assert np.abs(small - reduced).mean() < 0.03 * np.ptp(large)


def test_only_the_nearest_block_is_seen():
    room = room_of(2)
    shell, stool = room.blocks[:2]
    screen = stool._replace(low=np.array([-2.0, -1.0, 0.0]), high=np.array([2.0, -0.9, 3.0]), temperature=99.0)
    still = room._replace(draught=np.zeros(3), blocks=(shell, screen, stool))

    thermal = backdrop(still, CAMERA, "IR", 24, 24)
    swapped = backdrop(still._replace(blocks=(shell, stool, screen)), CAMERA, "IR", 24, 24)

    assert thermal[10:14, 10:14].min() >= 99
    np.testing.assert_array_equal(thermal, swapped)


def test_an_empty_room_shows_a_cooler_floor_below_its_walls():
    room = room_of(0)
    bare = room._replace(blocks=room.blocks[:1], draught=np.zeros(3))

    thermal = backdrop(bare, CAMERA, "IR", 24, 32)[..., 0]

    wall = room.blocks[0].temperature
    np.testing.assert_allclose(thermal[0], wall, rtol=1e-6)
    np.testing.assert_allclose(thermal[-1], wall - 1.5, rtol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_warm_distractor_moves_behind_the_actor(seed):
    room = room_of(seed)

    distractor = moving_distractor(room, 32)

    assert np.ptp(distractor.ends, axis=0).max() > 0.1
    assert distractor.temperatures.max() > 30
    assert (distractor.starts[..., 1] > 0.9).all()
    assert (distractor.ends >= LOW).all()
    assert (distractor.ends <= HIGH).all()
