import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import rise, rise_ledger

CLIP = jax.random.uniform(jax.random.key(1), (8, 6, 6, 3), minval=0.5)
KEY = jax.random.key(0)
OPTIONS = dict(num_masks=300, grid_shape=(4, 3, 3), keep_prob=0.4)


@pytest.mark.parametrize("estimator", ["mean", "centered"])
@pytest.mark.parametrize("recipe", ["default", "icpr2022", "canonical"])
def test_against_a_plain_numpy_twin(recipe, estimator):
    """The map from 300 dense masks and their scores, term by term as the formulas say."""
    weights = 0.05 * jax.random.normal(jax.random.key(3), CLIP.shape)
    ledger = rise_ledger(KEY, toys.linear_logit(weights), CLIP, recipe=recipe, estimator=estimator, **OPTIONS)
    masks = np.asarray(jax.vmap(ledger.masks)(jnp.arange(300)), np.float64)
    logits = np.einsum("nthw,thw->n", masks, (np.asarray(weights) * np.asarray(CLIP)).sum(-1))
    scores = logits if recipe == "icpr2022" else 1 / (1 + np.exp(-logits))
    offset = scores.mean() if estimator == "centered" else 0
    count = 299 if estimator == "centered" else 300
    expected = offset + np.einsum("n,nthw->thw", scores - offset, masks) / (count * 0.4)
    np.testing.assert_allclose(ledger.map(0), expected, rtol=1e-4, atol=1e-5)
    terms = (scores - offset)[:, None, None, None] * masks / 0.4
    stderr = terms.std(axis=0, ddof=1) / np.sqrt(300)
    np.testing.assert_allclose(ledger.stderr(0), stderr, rtol=1e-3, atol=1e-5)


def test_rise_is_the_map_of_its_ledger():
    score_fn = toys.one_frame(5)
    ledger = rise_ledger(KEY, score_fn, CLIP, **OPTIONS)
    np.testing.assert_array_equal(rise(KEY, score_fn, CLIP, **OPTIONS), ledger.map())
    np.testing.assert_allclose(rise(KEY, score_fn, CLIP, "all", **OPTIONS)[1], ledger.map(1), rtol=1e-6)


@pytest.mark.parametrize("frame", [0, 3, 7])
def test_one_frame_is_found_in_time(frame):
    options = dict(num_masks=2_000, grid_shape=(8, 2, 2), keep_prob=0.3, estimator="centered")
    profile = rise(KEY, toys.one_frame(frame), CLIP, 0, **options).mean(axis=(1, 2))
    assert int(profile.argmax()) == frame


def test_one_voxel_is_found_in_space():
    options = dict(num_masks=3_000, grid_shape=(2, 6, 6), keep_prob=0.3, estimator="centered")
    saliency = rise(KEY, toys.one_voxel((2, 4, 1)), CLIP, 0, **options).mean(axis=0)
    assert np.unravel_index(saliency.argmax(), saliency.shape) == (4, 1)


def test_both_estimators_agree_within_their_errors_and_centered_has_less():
    ledger = rise_ledger(KEY, toys.one_frame(2), CLIP, **OPTIONS | dict(num_masks=4_000))
    plain, centered = ledger.map(0, estimator="mean"), ledger.map(0, estimator="centered")
    plain_error, centered_error = (ledger.stderr(0, estimator=name) for name in ("mean", "centered"))
    assert (np.abs(plain - centered) < 5 * plain_error).all()
    assert (centered_error < 0.5 * plain_error).all()


@pytest.fixture(scope="module")
def forty_ledgers():
    """Of 40 keys."""
    score_fn, options = toys.one_frame(2), OPTIONS | dict(num_masks=200)
    return [rise_ledger(jax.random.key(seed), score_fn, CLIP, **options) for seed in range(40)]


@pytest.mark.parametrize("estimator", ["mean", "centered"])
def test_stderr_is_the_spread_over_keys(estimator, forty_ledgers):
    """The reported error against the standard deviation of the maps of 40 keys."""
    maps = np.array([ledger.map(0, estimator=estimator) for ledger in forty_ledgers])

    def reported_error(**kind):
        return np.mean([ledger.stderr(0, estimator=estimator, **kind) for ledger in forty_ledgers], axis=0)

    np.testing.assert_allclose(np.mean(reported_error() / maps.std(axis=0, ddof=1)), 1, atol=0.15)
    profiles = maps.mean(axis=(2, 3))
    of_frames, reported = profiles.std(axis=0, ddof=1), reported_error(per_frame=True)
    assert reported.shape == of_frames.shape
    np.testing.assert_allclose(np.mean(reported / of_frames), 1, atol=0.15)
    apart = np.std(profiles - profiles.mean(axis=1, keepdims=True), axis=0, ddof=1)
    reported_apart = reported_error(contrast=True)
    np.testing.assert_allclose(np.mean(reported_apart / apart), 1, atol=0.15)
    if estimator == "mean":  # what all frames share is most of its error
        assert (reported_apart < reported).all()


def test_constant_model_gives_a_constant_map():
    scores = jax.nn.softmax(jnp.arange(3.0))
    maps = rise(KEY, toys.constant(3), CLIP, "all", estimator="centered", **OPTIONS)
    np.testing.assert_allclose(maps, np.broadcast_to(scores[:, None, None, None], maps.shape), atol=1e-5)


def test_keeping_everything_gives_the_clips_own_score():
    saliency = rise(KEY, toys.one_frame(1), CLIP, 0, **OPTIONS | dict(keep_prob=1.0))
    score = jax.nn.softmax(toys.one_frame(1)(CLIP))[0]
    np.testing.assert_allclose(saliency, np.full(saliency.shape, score), rtol=1e-4)


@pytest.mark.parametrize("chunk_size", [7, 64])
def test_chunk_size_changes_nothing(chunk_size):
    reference = rise(KEY, toys.one_frame(2), CLIP, **OPTIONS)
    np.testing.assert_allclose(
        rise(KEY, toys.one_frame(2), CLIP, chunk_size=chunk_size, **OPTIONS), reference, rtol=1e-5, atol=1e-6
    )


def test_segments_get_one_slice_each():
    classifier = toys.pooling_classifier(cells=(4, 2, 2), frames_per_mask=2)
    assert rise(KEY, classifier, CLIP, **OPTIONS).shape == (4, 6, 6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(num_masks=0), ValueError, "`num_masks` must be at least 1; got 0"),
        (dict(keep_prob=0.0), ValueError, r"`keep_prob` must be in \(0, 1\]; got 0.0"),
        (dict(keep_prob=1.5), ValueError, r"`keep_prob` must be in \(0, 1\]; got 1.5"),
        (dict(keep_prob=float("nan")), ValueError, "`keep_prob` must be a number; got nan"),
        (dict(grid_shape=(2, 0, 8)), ValueError, "`grid_shape` must be three positive counts; got"),
        (dict(grid_shape=(8, 8)), TypeError, "`grid_shape` must be 3 values, each an integer; got"),
        (dict(estimator="median"), ValueError, r"`estimator` must be one of .*centered.*got 'median'"),
        (dict(key=3), TypeError, "`key` must be one key made by `jax.random.key`; got 3"),
        (dict(key=jax.random.key(0, impl="rbg")), ValueError, "`key` must be a threefry key.*got rbg"),
        (dict(target=9), ValueError, "`target` must be a class from 0 to 1; got 9"),
    ],
)
def test_bad_input(arguments, error, message, no_shape_checks):
    with pytest.raises(error, match=message):
        rise(**(dict(key=KEY, score_fn=toys.one_frame(0), clip=CLIP) | arguments))
