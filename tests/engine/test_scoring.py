from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import deletion, gradcam, score_masks, sidu
from jaxsal.core.callables import join_callable, split_callable
from jaxsal.engine import inputs, scoring
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import REPLACED, UNTOUCHED, prepare
from jaxsal.engine.masks import DenseMasks, Families, expand_mask
from jaxsal.engine.requests import Request, score_requests
from jaxsal.engine.rise_masks import RiseMasks, common_padding
from jaxsal.engine.scoring import score, score_chunks
from jaxsal.saliency.readout import _read, rise_map

RNG = np.random.default_rng(0)
CLIP = RNG.random((6, 4, 5, 3), np.float32)
MASKS = RNG.random((29, 3, 4, 5), np.float32)
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 5))


def rise_masks(num_masks, key=0):
    return RiseMasks.draw(jax.random.key(key), num_masks, 0.4, (6, 4, 5), (2, 3, 3), "mirror", "own")


@pytest.mark.parametrize("baseline", ["zero", 0.25 * np.ones((6, 4, 5, 3), np.float32), np.float32([0.1, 0.5, 0.9])])
def test_linear_logit_in_closed_form(baseline):
    """score(x) = <w, x> under a mask is <w M, x> + <w (1 - M), baseline>."""
    weights = RNG.normal(size=CLIP.shape).astype(np.float32)
    scores = score_masks(toys.linear_logit(weights), CLIP, MASKS, baseline=baseline)
    mask = np.repeat(MASKS, 2, axis=1)[..., None]
    fill = np.zeros(3) if isinstance(baseline, str) else baseline
    expected = (weights * (mask * CLIP + (1 - mask) * fill)).sum(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(scores[:, 0], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(scores[:, 1], 0)


def test_chunk_size_changes_nothing_and_ids_pick_masks():
    family, ids = rise_masks(150), np.array([141, 3, 3, 77])
    reference, *others = (score_masks(CLASSIFIER, CLIP, family, chunk_size=size) for size in (4, 1, 64))
    assert reference.shape == (150, 4)
    for scores in others:
        np.testing.assert_allclose(scores, reference, rtol=1e-6, atol=1e-6)
    chosen = score_masks(CLASSIFIER, CLIP, family, ids=ids, chunk_size=4)
    np.testing.assert_allclose(chosen, reference[ids], rtol=1e-6)


def test_progress_reaches_the_end():
    seen = []
    score_masks(toys.constant(), CLIP, rise_masks(50), chunk_size=2, progress=lambda *done: seen.append(done))
    assert seen == [(16, 50), (32, 50), (48, 50), (50, 50)]


def test_other_weights_clips_keys_and_counts_compile_nothing():
    traces = []

    def features(params, clip):
        traces.append(1)
        return toys._pool(params, clip)

    def scores(seed, num_masks):
        params = jax.tree.map(lambda leaf: leaf + np.float32(seed), CLASSIFIER.params)
        classifier = type(CLASSIFIER).from_functions(features, CLASSIFIER.head_fn, params)
        clip = np.random.default_rng(seed).random(CLIP.shape, np.float32)
        score_masks(classifier, clip, rise_masks(num_masks, key=seed), chunk_size=4)
        return score_chunks._cache_size()

    programs = scores(0, 40)
    assert len(traces) > 0
    assert [scores(1, 40), scores(2, 41), scores(3, 1000)] == [programs] * 3


def test_memory_does_not_grow_with_the_number_of_masks(no_shape_checks, monkeypatch):
    shapes, peaks = [], {}

    def spy(*arguments):
        families, ids = arguments[3], arguments[5]
        shapes.append(ids.shape)
        num_masks = int(families[0].num_masks)
        if num_masks not in peaks:
            peaks[num_masks] = score_chunks.lower(*arguments).compile().memory_analysis().temp_size_in_bytes
        return jnp.zeros((*ids.shape, 4))

    monkeypatch.setattr(scoring, "score_chunks", spy)
    for num_masks in (100, 10_000):
        score_masks(CLASSIFIER, CLIP, rise_masks(num_masks), chunk_size=4)
    score_masks(CLASSIFIER, CLIP, rise_masks(1_000_000), ids=range(999_900, 1_000_000), chunk_size=4)
    assert len(shapes) == 4 + 313 + 4
    assert set(shapes) == {(8, 4)}
    assert set(peaks) == {100, 10_000, 1_000_000}
    assert max(peaks.values()) == min(peaks.values()) < 100 * CLIP.nbytes


def test_a_map_of_many_masks_takes_little_more_than_their_scores(no_shape_checks):
    """Masks are made again, a few at a time: a million of them do not fit into five numbers for each."""
    masks = rise_masks(2**20)

    def program_bytes(num_masks):
        ids, scores = jnp.zeros(num_masks, jnp.int32), jnp.zeros((num_masks, 1))
        arguments = (masks, ids, scores, np.int32(num_masks), rise_map, "mean", True)
        return _read.lower(*arguments).compile().memory_analysis().temp_size_in_bytes

    assert program_bytes(2**20) - program_bytes(2**10) <= 5 * 4 * 2**20


@pytest.mark.parametrize(("baseline", "chunk_size"), [("mean", 4), (np.float32([0.1, 0.5, 0.9]), 64)])
def test_pairs_are_scored_as_each_clip_under_each_family(chunk_size, baseline):
    """Any clip may be paired with any family, in any order and number."""
    clips = [CLIP, 1 - CLIP, CLIP[::-1]]
    families = [rise_masks(50, key=key) for key in range(2)]
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, [3, 2], (90, 2)).astype(np.int32)
    ids = rng.integers(0, 50, 90).astype(np.int32)
    batch = prepare(CLASSIFIER, clips)
    scores = score(batch, families, pairs, ids, baseline=Baseline.of(baseline), chunk_size=chunk_size)
    expected = [[score_masks(CLASSIFIER, clip, family, baseline=baseline) for family in families] for clip in clips]
    for row, (clip, family), number in zip(scores, pairs, ids, strict=True):
        np.testing.assert_allclose(row, expected[clip][family][number], rtol=1e-6, atol=1e-6)


def test_grids_of_any_size_are_scored_side_by_side():
    """Another grid of cells or chance of keeping one is another family, not another program."""
    options = [(0.4, (2, 3, 3)), (0.7, (3, 2, 1))]
    families = [RiseMasks.draw(jax.random.key(0), 9, chance, (6, 4, 5), grid) for chance, grid in options]
    padded = Families.of([family.padded(common_padding(families)) for family in families])
    ids = np.arange(9, dtype=np.int32)
    batch = prepare(CLASSIFIER, [CLIP])
    requests = [Request(0, number, ids) for number in range(2)]
    found = score_requests(batch, padded, requests, baseline=Baseline.of("zero"))
    for own, family in zip(found, families, strict=True):
        np.testing.assert_allclose(own.logits, score_masks(CLASSIFIER, CLIP, family), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(own.ids, ids)
        np.testing.assert_allclose(own.clip_logits, CLASSIFIER(CLIP), rtol=1e-5)


def test_known_ends_are_scored_once_and_only_where_they_are_known():
    """Of 60 rows of two clips, 20 keep and 20 replace everything: 20 others, and two ends of each clip, are scored."""
    masks = DenseMasks(jnp.asarray(np.stack([MASKS[0], np.ones_like(MASKS[0]), np.zeros_like(MASKS[0])])))
    ids = np.tile(np.arange(3, dtype=np.int32), 20)
    pairs = np.stack([np.arange(60) % 2, np.zeros(60, int)], axis=1).astype(np.int32)
    ends = np.array([0, UNTOUCHED, REPLACED])[ids]
    batch, seen = prepare(CLASSIFIER, [CLIP, 1 - CLIP]), []

    def scores(baseline):
        options = dict(ends=ends, baseline=Baseline.of(baseline), progress=lambda *done: seen.append(done))
        return score(batch, [masks], pairs, ids, **options)

    for baseline, passes in [("zero", 24), ("blur", 22), ("zero", 20), ("blur", 20)]:
        seen.clear()
        found = scores(baseline)
        assert seen[-1] == (passes, passes)
        for number, clip in enumerate([CLIP, 1 - CLIP]):
            expected = score_masks(CLASSIFIER, clip, masks, baseline=baseline)
            own = pairs[:, 0] == number
            np.testing.assert_allclose(found[own], np.asarray(expected)[ids[own]], rtol=1e-5, atol=1e-6)


def test_rows_that_are_all_known_take_no_pass(monkeypatch):
    batch = prepare(toys.constant(), [CLIP])
    one = dict(pairs=np.zeros((5, 2), np.int32), ids=np.zeros(5, np.int32), baseline=Baseline.of("zero"))
    batch.logits  # noqa: B018
    monkeypatch.setattr(scoring, "score_chunks", None)
    found = score(batch, [rise_masks(5)], ends=np.full(5, UNTOUCHED), **one)
    np.testing.assert_allclose(found, np.tile(np.arange(3.0), (5, 1)))


@pytest.mark.parametrize(("count", "chunk"), [(0, 16), (1, 1), (16, 16), (17, 9), (100, 15), (128, 16), (129, 16)])
def test_few_masks_make_even_chunks(count, chunk):
    assert scoring.even_chunk(count, 16) == chunk


def test_split_callable_keeps_functions_static():
    function = toys.constant()
    assert split_callable(function).arrays == []
    assert join_callable(*split_callable(function)) is function
    again = join_callable(*split_callable(CLASSIFIER))
    assert jax.tree.structure(again) == jax.tree.structure(CLASSIFIER)


def test_frame_slices():
    mask = jnp.asarray(np.arange(2.0, dtype=np.float32)[:, None, None])
    np.testing.assert_array_equal(expand_mask(mask, 6)[:, 0, 0, 0], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(expand_mask(mask, 6, "modulo")[:, 0, 0, 0], [0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(masks=MASKS[:, :, 1:]), r"`masks` must have shape \(N, T', 4, 5\); got \(29, 3, 3, 5\)"),
        (dict(masks=np.ones((2, 4, 4, 5))), r"`masks` must divide the clip's 6 frames; got 4 along time"),
        (dict(masks=MASKS[:0]), "`masks` must hold at least one mask; got 0"),
        (dict(chunk_size=0), "`chunk_size` must be at least 1; got 0"),
        (dict(ids=[]), "`ids` must be a list of mask numbers"),
        (dict(ids=[3, 29]), "`ids` must be from 0 to 28; got numbers from 3 to 29"),
        (dict(frame_slices="turns"), r"`frame_slices` must be one of \('aligned', 'modulo'\); got 'turns'"),
        (dict(masks=MASKS + 1), r"`masks` must have values in \[0, 1\]; got values from 1"),
        (dict(masks=np.full_like(MASKS, np.nan)), r"`masks` must have values in \[0, 1\]; got values from nan"),
        (dict(baseline=np.float32(7)), r"`baseline` must have values in \[0, 1\]; got 7.0"),
        (dict(baseline="grey"), r"`baseline` must be one of .*zero.*got 'grey'"),
        (dict(baseline=np.zeros((2, 3), np.float32)), r"`baseline` must broadcast to the clip's shape .*\(2, 3\)"),
        (dict(score_fn=lambda clip: clip), r"`score_fn` must map one clip to class scores \(K,\)"),
        (dict(clip=CLIP + 1), r"`clip` must have values in \[0, 1\]; got values from 1"),
    ],
)
def test_bad_input(options, message, no_shape_checks):
    arguments = dict(score_fn=toys.constant(), clip=CLIP, masks=MASKS) | options
    with pytest.raises(ValueError, match=message):
        score_masks(**arguments)


@pytest.mark.parametrize("on_host", [True, False])
@pytest.mark.parametrize(("value", "found"), [(-0.5, "-0.5 to 1"), (np.nan, "nan to nan")])
@pytest.mark.parametrize("array", [np.asarray, partial(jnp.asarray, dtype=jnp.bfloat16)])
def test_values_are_checked_wherever_they_are(on_host, value, found, array, monkeypatch):
    """On an accelerator they are not fetched, but looked at there."""
    if not on_host:
        monkeypatch.setattr(inputs, "on_host", lambda array: False)
    values = np.linspace(0, 1, CLIP.size, dtype=np.float32).reshape(CLIP.shape)
    assert inputs.check_clip(array(values), toys.constant()).shape == CLIP.shape
    values[1, 2, 3, 0] = value
    with pytest.raises(ValueError, match=rf"`clip` must have values in \[0, 1\]; got values from {found}\."):
        inputs.check_clip(array(values), toys.constant())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(score_fn=3), "`score_fn` must be a function; got 3"),
        (dict(ids=[0.5]), "`ids` must be integers; got float64"),
        (dict(chunk_size=2.5), "`chunk_size` must be an integer or .*; got 2.5"),
        (dict(masks="all"), "`masks` must be a family of `jaxsal.engine.masks` or an array; got str"),
        (dict(masks=np.array(["a"])), r"`masks` must hold numbers in \[0, 1\]; got <U1"),
    ],
)
def test_of_the_wrong_kind(options, message, no_shape_checks):
    arguments = dict(score_fn=toys.constant(), clip=CLIP, masks=MASKS) | options
    with pytest.raises(TypeError, match=message):
        score_masks(**arguments)


@pytest.mark.parametrize("name", ["score_masks", "sidu", "gradcam", "deletion"])
def test_under_a_callers_jit_as_without(name):
    """RISE keeps its scores in a ledger of NumPy arrays, so it is for outside of `jax.jit`; all else is for both."""
    saliency = RNG.random(CLIP.shape[:3], np.float32)
    calls = {
        "score_masks": lambda clip: score_masks(CLASSIFIER, clip, MASKS, baseline="mean", chunk_size=8),
        "sidu": lambda clip: sidu(CLASSIFIER, clip, "all", threshold=0.3),
        "gradcam": lambda clip: gradcam(CLASSIFIER, clip, "all"),
        "deletion": lambda clip: deletion(CLASSIFIER, clip, saliency, 1, num_steps=5),
    }
    jitted, eager = jax.jit(calls[name])(CLIP), calls[name](CLIP)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), jitted, eager)
