import jax
import numpy as np
import pytest

import toys
from jaxsal import deletion, insertion
from jaxsal.metrics.refine import first_steps, interpolate, open_steps

RNG = np.random.default_rng(1)
CLIP = 0.5 + 0.5 * RNG.random((4, 5, 6, 3), np.float32)
SALIENCY = RNG.random((4, 5, 6), np.float32)
SALIENCY[2] += 5


def scored_steps(curve, tolerance):
    """What is made of a known curve, the steps that it takes, and which of them are asked for together."""
    scored, asked = np.zeros(0, int), []
    wanted = first_steps(len(curve))
    while len(wanted):
        asked.append(wanted.tolist())
        scored = np.union1d(scored, wanted)
        wanted = open_steps(scored, curve[scored], tolerance)
    return interpolate(scored, curve[scored], np.linspace(0, 1, len(curve))), scored, asked


def test_a_straight_line_needs_every_eighth_step():
    line = np.linspace(1, 0, 100, dtype=np.float32)
    found, _, asked = scored_steps(line, 0.09)
    np.testing.assert_allclose(found, line, atol=1e-6)
    assert asked == [[*range(0, 97, 8), 99]]


def test_a_jump_is_found_within_one_step():
    jump = (np.arange(100) < 37).astype(np.float32)
    found, scored, asked = scored_steps(jump, 0.01)
    np.testing.assert_array_equal(found, jump)
    assert asked[1:] == [[36], [38], [37]]
    assert len(scored) == 17


@pytest.mark.parametrize("num_steps", [2, 9, 10, 100])
def test_without_tolerance_every_step_of_a_moving_curve_is_scored(num_steps):
    curve = np.random.default_rng(num_steps).random(num_steps).astype(np.float32)
    found, scored, _ = scored_steps(curve, 0.0)
    np.testing.assert_array_equal(scored, np.arange(num_steps))
    np.testing.assert_array_equal(found, curve)


def test_gaps_beside_no_number_are_scored():
    curve = np.full(17, 0.5, np.float32)
    curve[8] = np.nan
    found, scored, _ = scored_steps(curve, 1.0)
    assert {7, 8, 9} <= set(scored)
    np.testing.assert_array_equal(found, curve)


@pytest.mark.parametrize("measure", [deletion, insertion])
def test_curves_from_fewer_passes(measure):
    score_fn = toys.one_frame(2)
    exact = measure(score_fn, CLIP, SALIENCY, baseline="zero")
    assert exact.num_scored is None
    refined = measure(score_fn, CLIP, SALIENCY, baseline="zero", approximation="refine", tolerance=0.05)
    np.testing.assert_allclose(refined.scores, exact.scores, atol=0.05)
    np.testing.assert_allclose(refined.auc, exact.auc, atol=0.01)
    np.testing.assert_array_equal(refined.fractions, exact.fractions)
    assert 14 < refined.num_scored < 40
    whole = measure(score_fn, CLIP, SALIENCY, 0, baseline="zero", approximation="refine", tolerance=0.0)
    np.testing.assert_allclose(whole.scores, exact.scores, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(approximation="early"), r"`approximation` must be one of .*got 'early'"),
        (dict(tolerance=-0.1), "`tolerance` must be at least 0; got -0.1"),
    ],
)
def test_bad_options(options, message, no_shape_checks):
    with pytest.raises(ValueError, match=message):
        deletion(toys.one_frame(2), CLIP, SALIENCY, **options)


def test_steps_cannot_be_chosen_under_jit(no_shape_checks):
    with pytest.raises(TypeError, match="`approximation` must be 'none' under jit"):
        jax.jit(lambda clip: deletion(toys.one_frame(2), clip, SALIENCY, 0, approximation="refine").auc)(CLIP)
