"""Masked clips whose scores depend on each other, because their normalisation takes them as one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import RiseLedger, deletion, rise, rise_ledger, score_masks, sidu
from jaxsal.engine.classifiers import check_batches
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all
from jaxsal.evaluation.options import ExplainOptions

pytestmark = pytest.mark.usefixtures("no_shape_checks")
KEY = jax.random.key(0)
CLIP = 0.2 + 0.6 * jax.random.uniform(jax.random.key(1), (4, 6, 6, 3))
MASKS = jax.random.uniform(jax.random.key(2), (7, 4, 6, 6), minval=0.3)
NETWORK = toys.pooling_classifier(cells=(1, 1, 1), head=np.eye(3, dtype=np.float32)).with_normalization("minmax")
RISE = dict(grid_shape=(2, 3, 3), keep_prob=0.8)
OPTIONS = RISE | dict(batch_size=4)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_the_range_of_a_batch_in_closed_form(batch_size):
    """Mean colour of each clip, in the range of its batch; the last batch may be shorter."""
    masked = np.asarray(MASKS)[..., None] * np.asarray(CLIP)
    batches = [masked[start : start + batch_size] for start in range(0, 7, batch_size)]
    expected = [(clip.mean(axis=(0, 1, 2)) - b.min()) / (b.max() - b.min()) for b in batches for clip in b]
    for chunk_size in (2, 16):
        scores = score_masks(NETWORK, CLIP, MASKS, batch_size=batch_size, chunk_size=chunk_size)
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
    if batch_size == 1:
        np.testing.assert_allclose(score_masks(NETWORK, CLIP, MASKS), expected, rtol=1e-5)


def test_batches_leave_other_normalisations_alone():
    standard = NETWORK.with_normalization("standardize")
    np.testing.assert_allclose(
        score_masks(standard, CLIP, MASKS, batch_size=3), score_masks(standard, CLIP, MASKS), rtol=1e-5
    )


def test_a_ledger_grows_by_whole_batches(tmp_path):
    """A batch that was cut short is scored again with the masks that fill it."""
    whole = rise_ledger(KEY, NETWORK, CLIP, num_masks=23, **OPTIONS)
    short = rise_ledger(KEY, NETWORK, CLIP, num_masks=10, path=tmp_path / "clip.npz", **OPTIONS)
    assert np.abs(short.logits[8:] - whole.logits[8:10]).max() > 1e-4
    grown = rise_ledger(KEY, NETWORK, CLIP, num_masks=23, path=tmp_path / "clip.npz", **OPTIONS)
    np.testing.assert_array_equal(grown.ids, np.arange(23))
    np.testing.assert_allclose(grown.logits, whole.logits, rtol=1e-6)
    np.testing.assert_array_equal(RiseLedger.load(tmp_path / "clip.npz").logits, grown.logits)
    assert len(grown.extend(NETWORK, CLIP, 10).ids) == 23
    with pytest.raises(ValueError, match="`other` must have the same options"):
        whole.merge(rise_ledger(KEY, NETWORK, CLIP, num_masks=23, **(OPTIONS | dict(batch_size=5))))


def test_a_folder_takes_up_maps_of_batches(tmp_path, passes):
    """SIDU's masks come from a clip's activations, so scores of its batches are stored with them."""
    options = ExplainOptions(
        method=("rise", "sidu"), controls=(), num_masks=10, rise_batch=4, sidu_batch=3, num_steps=2, **RISE
    )
    case = Case("a", "IR", -1, lambda: np.asarray(CLIP), None)
    (first,) = explain_all(NETWORK, [case], options, tmp_path)
    np.testing.assert_allclose(first.maps["SIDU"], sidu(NETWORK, CLIP, batch_size=3), rtol=1e-5)
    passes.clear()
    (again,) = explain_all(NETWORK, [case], options, tmp_path)
    assert sum(passes) == 0
    for method in ("RISE", "SIDU"):
        np.testing.assert_array_equal(again.maps[method], first.maps[method])
    other = case._replace(target=(first.target + 1) % 3)
    (found,) = explain_all(NETWORK, [other], options, tmp_path)
    np.testing.assert_allclose(found.maps["SIDU"], sidu(NETWORK, CLIP, other.target, batch_size=3), rtol=1e-5)


def test_batches_that_cannot_be():
    with pytest.raises(TypeError, match="`score_fn` must have score_batch for `batch_size`; got function without"):
        rise(KEY, toys.constant(), CLIP, batch_size=4)
    with pytest.raises(TypeError, match="`score_fn` must have score_batch"):
        score_masks(toys.constant(), CLIP, MASKS, batch_size=4)
    for call in (lambda: rise(KEY, NETWORK, CLIP, batch_size=0), lambda: sidu(NETWORK, CLIP, batch_size=0)):
        with pytest.raises(ValueError, match="`batch_size` must be at least 1; got 0"):
            call()
    with pytest.raises(ValueError, match="`batch_size` must be at least 1; got -1"):
        check_batches(NETWORK, -1)


@pytest.mark.parametrize(("recipe", "expected"), [("icpr2022", 0.0), ("default", np.nan)])
def test_probabilities_that_are_no_numbers(recipe, expected):
    """The study's code counts them as 0; otherwise they show."""

    def score_fn(clip):
        return jnp.where(clip.min() < 0.1, jnp.nan, 1.0) * jnp.array([1.0, -1.0])

    curve = deletion(score_fn, CLIP, CLIP[..., 0], recipe=recipe, baseline="zero", num_steps=5)
    np.testing.assert_allclose(curve.scores, [1 / (1 + np.exp(-2)), *[expected] * 4], rtol=1e-5)
