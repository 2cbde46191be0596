import jax
import numpy as np
import pytest

import toys
from jaxsal import rise, rise_ledger

RNG = np.random.default_rng(1)
CLIP = 0.5 + 0.5 * RNG.random((8, 6, 6, 3), np.float32)
WEIGHTS = 0.05 * RNG.standard_normal(CLIP.shape, np.float32)
KEY = jax.random.key(0)
OPTIONS = dict(num_masks=200, grid_shape=(4, 3, 3), keep_prob=0.4)
LINEAR, FRAME = toys.linear_logit(WEIGHTS), toys.one_frame(2)


@pytest.mark.parametrize("recipe", ["default", "icpr2022", "canonical"])
def test_against_a_plain_numpy_twin(recipe):
    """The map from 200 dense masks and their scores, term by term as the formulas say."""
    ledger = rise_ledger(KEY, LINEAR, CLIP, recipe=recipe, **OPTIONS)
    masks = toys.every_mask(ledger.masks).astype(np.float64)
    logits = np.einsum("nthw,thw->n", masks, (WEIGHTS * CLIP).sum(-1))
    scores = logits if recipe == "icpr2022" else 1 / (1 + np.exp(-logits))
    for estimator in ("mean", "centered") if recipe == "default" else ("mean",):
        offset, count = (scores.mean(), 199) if estimator == "centered" else (0, 200)
        expected = offset + np.einsum("n,nthw->thw", scores - offset, masks) / (count * 0.4)
        np.testing.assert_allclose(ledger.map(0, estimator=estimator), expected, rtol=1e-4, atol=1e-5)
        if recipe == "default":
            terms = (scores - offset)[:, None, None, None] * masks / 0.4
            stderr = terms.std(axis=0, ddof=1) / np.sqrt(200)
            np.testing.assert_allclose(ledger.stderr(0, estimator=estimator), stderr, rtol=1e-3, atol=1e-5)


def test_rise_is_the_map_of_its_ledger_whatever_the_chunk_size():
    options = dict(OPTIONS, estimator="centered")
    ledger = rise_ledger(KEY, FRAME, CLIP, **options)
    np.testing.assert_array_equal(rise(KEY, FRAME, CLIP, **options), ledger.map())
    maps = rise(KEY, FRAME, CLIP, "all", chunk_size=7, **options)
    np.testing.assert_allclose(maps, [ledger.map(0), ledger.map(1)], rtol=1e-5, atol=1e-6)


def test_one_voxel_is_found():
    options = dict(num_masks=500, grid_shape=(8, 6, 6), keep_prob=0.3, estimator="centered")
    saliency = rise(KEY, toys.one_voxel((5, 4, 1)), CLIP, 0, **options)
    assert np.unravel_index(saliency.argmax(), saliency.shape) == (5, 4, 1)


def test_both_estimators_agree_within_their_errors_and_centered_has_less():
    ledger = rise_ledger(KEY, FRAME, CLIP, **OPTIONS)
    plain, centered = (np.asarray(ledger.map(0, estimator=name)) for name in ("mean", "centered"))
    plain_error, centered_error = (np.asarray(ledger.stderr(0, estimator=name)) for name in ("mean", "centered"))
    assert (np.abs(plain - centered) < 5 * plain_error).all()
    assert (centered_error < 0.5 * plain_error).all()


def test_stderr_is_the_spread_over_keys():
    """The reported error against the standard deviation of the maps of 40 keys."""
    ledgers = [rise_ledger(jax.random.key(seed), FRAME, CLIP, **OPTIONS) for seed in range(40)]

    def reported_error(estimator="mean", **kind):
        return np.mean([ledger.stderr(0, estimator=estimator, **kind) for ledger in ledgers], axis=0)

    for estimator in ("centered", "mean"):
        maps = np.array([ledger.map(0, estimator=estimator) for ledger in ledgers])
        np.testing.assert_allclose(np.mean(reported_error(estimator) / maps.std(axis=0, ddof=1)), 1, atol=0.15)
    profiles = maps.mean(axis=(2, 3))
    of_frames, reported = profiles.std(axis=0, ddof=1), reported_error(per_frame=True)
    assert reported.shape == of_frames.shape
    np.testing.assert_allclose(np.mean(reported / of_frames), 1, atol=0.15)
    apart = np.std(profiles - profiles.mean(axis=1, keepdims=True), axis=0, ddof=1)
    reported_apart = reported_error(contrast=True)
    np.testing.assert_allclose(np.mean(reported_apart / apart), 1, atol=0.15)
    assert (reported_apart < reported).all()  # what all frames share is most of the error of "mean"


def test_constant_model_gives_a_constant_map():
    maps = rise(KEY, toys.constant(2), CLIP, "all", estimator="centered", **OPTIONS)
    scores = 1 / (1 + np.exp([1, -1]))
    np.testing.assert_allclose(maps, np.broadcast_to(scores[:, None, None, None], maps.shape), atol=1e-5)


def test_keeping_everything_gives_the_clips_own_score():
    saliency = rise(KEY, FRAME, CLIP, 0, **OPTIONS | dict(keep_prob=1.0))
    score = 1 / (1 + np.exp(-2 * 8 * CLIP[2].mean()))
    np.testing.assert_allclose(saliency, np.full(saliency.shape, score), rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(keep_prob=0.0), ValueError, r"`keep_prob` must be in \(0, 1\]; got 0.0"),
        (dict(grid_shape=(2, 0, 8)), ValueError, "`grid_shape` must be three positive counts; got"),
        (dict(grid_shape=(8, 8)), TypeError, "`grid_shape` must be 3 values, each an integer; got"),
        (dict(key=jax.random.key(0, impl="rbg")), ValueError, "`key` must be a threefry key.*got rbg"),
        (dict(target=9), ValueError, "`target` must be a class from 0 to 1; got 9"),
    ],
)
def test_bad_input(arguments, error, message, no_shape_checks):
    with pytest.raises(error, match=message):
        rise(**(dict(key=KEY, score_fn=toys.one_frame(0), clip=CLIP) | arguments))
