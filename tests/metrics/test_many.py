import jax
import numpy as np
import pytest

import toys
from jaxsal import deletion, insertion
from jaxsal.metrics.many import measure_maps

CLIPS = list(np.asarray(jax.random.uniform(jax.random.key(1), (3, 4, 6, 9, 3))))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32))
ALONE = {"deletion": deletion, "insertion": insertion}


def maps(num_slices=4):
    rng = np.random.default_rng(0)
    names = (("a", "b"), ("b",), ())
    return [{name: rng.random((num_slices, 6, 9), np.float32) for name in of_clip} for of_clip in names]


@pytest.mark.parametrize("measure", ALONE)
@pytest.mark.parametrize(
    "options",
    [
        dict(num_steps=7),
        dict(num_steps=7, chunk_size=4, baseline="zero", ties="first"),
        dict(num_steps=7, unit="scalar"),
        dict(recipe="canonical"),
        dict(num_steps=25, approximation="refine", tolerance=0.05),
    ],
)
@pytest.mark.parametrize("num_slices", [2, 4])
def test_every_map_is_measured_as_alone(measure, options, num_slices):
    """Also of clips with different maps, or with none."""
    found = measure_maps(measure, CLASSIFIER, CLIPS, maps(num_slices), [0, 3, 1], **options)
    assert [list(of_clip) for of_clip in found] == [["a", "b"], ["b"], []]
    for clip, of_clip, saliency, target in zip(CLIPS, found, maps(num_slices), [0, 3, 1], strict=True):
        for name, curve in of_clip.items():
            expected = ALONE[measure](CLASSIFIER, clip, saliency[name], target, **options)
            np.testing.assert_allclose(curve.scores, expected.scores, rtol=1e-5)
            np.testing.assert_array_equal(curve.fractions, expected.fractions)
            assert float(curve.auc) == pytest.approx(float(expected.auc), rel=1e-5)
            assert curve.num_scored == expected.num_scored


@pytest.mark.parametrize("options", [dict(), dict(approximation="refine")])
def test_clips_beyond_the_targets_change_nothing(options):
    given = maps()[:2]
    found = measure_maps("deletion", CLASSIFIER, CLIPS, given, [0, 3], num_steps=7, **options)
    expected = measure_maps("deletion", CLASSIFIER, CLIPS[:2], given, [0, 3], num_steps=7, **options)
    assert [list(of_clip) for of_clip in found] == [["a", "b"], ["b"]]
    for one, other in zip(found, expected, strict=True):
        for name, curve in one.items():
            np.testing.assert_allclose(curve.scores, other[name].scores, rtol=1e-6)
    assert measure_maps("deletion", CLASSIFIER, CLIPS, [{}, {}], [0, 3]) == [{}, {}]


def test_nothing_to_measure():
    assert measure_maps("deletion", CLASSIFIER, CLIPS, [{}, {}, {}], [0, 0, 0]) == [{}, {}, {}]


def test_bad_maps():
    wrong = [{}, {"a": np.zeros((3, 6, 9), np.float32)}, {}]
    with pytest.raises(ValueError, match="`saliency` must divide the clip's 4 frames; got 3 along time"):
        measure_maps("insertion", CLASSIFIER, CLIPS, wrong, [0, 0, 0])
