"""The figure and its actions: rigid bones, feet on the floor, pairs of the same poses, alike at any time."""

import numpy as np
import pytest

from jaxsal.datasets.synthetic.actions import ACTION_PAIRS, ACTIONS, loop_phases, perform
from jaxsal.datasets.synthetic.figures import SHIN, THIGH, UPPER_ARM, make_actor, make_performance

RNG_SEEDS = range(3)
LIMBS = {"thigh": (6, THIGH), "shin": (7, SHIN), "upper arm": (9, UPPER_ARM)}  # capsule of the left side, length


def performed(action, seed=0, num_frames=32, **changes):
    rng = np.random.default_rng(seed)
    actor, performance = make_actor(rng), make_performance(rng)
    return actor, perform(action, actor, performance._replace(**changes), num_frames)


@pytest.mark.parametrize("pair", ACTION_PAIRS)
@pytest.mark.parametrize("num_frames", [1, 31])
def test_a_pair_shows_the_same_poses_in_opposite_order(pair, num_frames):
    (_, first), (_, second) = (performed(action, num_frames=num_frames) for action in pair)

    np.testing.assert_array_equal(first.starts, second.starts[::-1])
    np.testing.assert_array_equal(first.ends, second.ends[::-1])
    np.testing.assert_array_equal(first.temperatures, second.temperatures)


@pytest.mark.parametrize("start", [0.0, 0.3, 0.9])
def test_phases_rise_from_the_start_through_the_whole_action_and_begin_anew_once(start):
    rng = np.random.default_rng(3)
    actor, performance = make_actor(rng), make_performance(rng)._replace(start=start)

    phases = loop_phases((np.arange(40) + 0.5) / 40, actor, performance)

    assert phases[0] == pytest.approx((start + 0.0125) ** actor.tempo)
    assert (np.diff(phases) < 0).sum() == (start > 0)
    assert phases.min() < 0.05
    assert phases.max() > 0.95


@pytest.mark.parametrize("pair", ACTION_PAIRS)
def test_over_all_starts_every_frame_shows_the_same_poses_in_both_actions_of_a_pair(pair):
    """So no frame, no mean over frames and no linear function of a clip tells them apart."""

    def moments(action):
        bodies = [performed(action, 2, 16, start=start)[1].ends for start in np.arange(16) / 16]
        return np.array([np.mean(bodies, axis=0), np.mean(np.square(bodies), axis=0)])[:, [0, 7, 15]]

    first, second = map(moments, pair)
    np.testing.assert_allclose(first, second, atol=1e-9)
    np.testing.assert_allclose(first, np.broadcast_to(first[:, :1], first.shape), atol=1e-9)


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

    def range_of(body, part):
        return np.ptp((body.ends if part == hand else body.starts)[:, part, 2])

    def drops(body, part):  # most of the time
        return np.mean(np.diff((body.ends if part == hand else body.starts)[:, part, 2]) < 0) > 0.8

    assert range_of(sitting, hips) > 0.18 * actor.stature
    assert range_of(bending, head) > 0.25 * actor.stature > 3 * range_of(bending, hips)
    assert range_of(raising, hand) > 0.5 * actor.stature
    assert drops(sitting, hips)
    assert drops(bending, head)
    assert not drops(raising, hand)


@pytest.mark.parametrize("seed", RNG_SEEDS)
def test_a_walk_goes_where_the_toes_point_or_the_other_way(seed):
    for action, sign in (("walk_forward", 1), ("walk_backward", -1)):
        _, walk = performed(action, seed, start=0.0)
        travel, toes = (walk.starts[-1, 0] - walk.starts[0, 0])[:2], (walk.ends - walk.starts)[0, 8, :2]
        assert sign * travel @ toes > 0.99 * np.linalg.norm(travel) * np.linalg.norm(toes)
        assert np.linalg.norm(travel) > 1.0
