"""The figure and its actions: rigid bones, feet on the floor, pairs that run through the same poses."""

import numpy as np
import pytest

from jaxsal.datasets.synthetic.actions import ACTION_PAIRS, ACTIONS, action_phases, perform
from jaxsal.datasets.synthetic.figures import SHIN, THIGH, UPPER_ARM, make_actor, make_performance

RNG_SEEDS = range(5)
LIMBS = {"thigh": (6, THIGH), "shin": (7, SHIN), "upper arm": (9, UPPER_ARM)}  # capsule of the left side, length


def performed(action, seed=0, num_frames=32):
    rng = np.random.default_rng(seed)
    actor, performance = make_actor(rng), make_performance(rng)
    return actor, perform(action, action_phases(action, actor, num_frames), actor, performance)


def test_the_actions_are_four_pairs():
    assert len(ACTIONS) == len(set(ACTIONS)) == 8
    assert tuple(zip(ACTIONS[::2], ACTIONS[1::2], strict=True)) == ACTION_PAIRS


@pytest.mark.parametrize("pair", ACTION_PAIRS)
@pytest.mark.parametrize("num_frames", [1, 31, 32])
def test_a_pair_shows_the_same_poses_in_opposite_order(pair, num_frames):
    (_, first), (_, second) = (performed(action, num_frames=num_frames) for action in pair)

    np.testing.assert_array_equal(first.starts, second.starts[::-1])
    np.testing.assert_array_equal(first.ends, second.ends[::-1])
    np.testing.assert_array_equal(first.temperatures, second.temperatures)


@pytest.mark.parametrize("action", ACTIONS)
def test_phases_run_through_the_whole_action_in_one_direction(action):
    actor = make_actor(np.random.default_rng(3))

    phases = action_phases(action, actor, 32)

    steps = np.diff(phases)
    assert (steps > 0).all() or (steps < 0).all()
    assert phases.min() < 0.05
    assert phases.max() > 0.95


@pytest.mark.parametrize("action", ACTIONS[::2])
@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_bones_keep_their_lengths_and_feet_stay_above_the_floor(action, seed):
    actor, body = performed(action, seed)

    for limb, share in LIMBS.values():
        for side in (0, 6):
            lengths = np.linalg.norm(body.ends - body.starts, axis=-1)[:, limb + side]
            np.testing.assert_allclose(lengths, share * actor.stature, rtol=1e-6)
    assert (body.starts[..., 2] > 0).all()
    assert (body.ends[..., 2] > 0).all()


@pytest.mark.parametrize("action", ["sit_down", "bend_down", "raise_arms"])
@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_only_the_walk_moves_the_feet(action, seed):
    _, body = performed(action, seed)
    _, walk = performed("walk_forward", seed)

    ankles = body.starts[:, [8, 14]]
    np.testing.assert_allclose(ankles, np.broadcast_to(ankles[:1], ankles.shape), atol=1e-3)
    assert np.ptp(walk.starts[:, 8], axis=0).max() > 0.5


@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_each_action_moves_what_its_name_says(seed):
    head, hips, hand = 4, 0, 11
    actor, sitting = performed("sit_down", seed)
    _, bending = performed("bend_down", seed)
    _, raising = performed("raise_arms", seed)
    _, walking = performed("walk_forward", seed)

    def fall(body, part):
        return (body.ends if part == hand else body.starts)[[0, -1], part, 2] @ [1, -1]

    assert fall(sitting, hips) > 0.18 * actor.stature
    assert fall(bending, head) > 0.25 * actor.stature > 3 * fall(bending, hips)
    assert fall(raising, hand) < -0.5 * actor.stature
    assert walking.starts[-1, hips, 1] - walking.starts[0, hips, 1] < -0.8  # towards the cameras
