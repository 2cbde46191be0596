"""`jaxsal.explain`: the road of many clips, with one."""

import dataclasses
import inspect

import jax
import numpy as np
import pytest

import toys
from jaxsal import deletion, explain, gradcam, insertion, rise, sidu
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.training.recorded import RecordedClip

CLASSES = ("crouch", "wave", "walk_forward", "walk_back")
CLIP = np.asarray(jax.random.uniform(jax.random.key(1), (4, 6, 9, 3)))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3), head=8 * np.eye(3, 4, dtype=np.float32), classes=CLASSES)
OPTIONS = dict(num_masks=20, grid_shape=(2, 3, 3), num_steps=5)


def test_it_is_what_many_clips_are_given():
    found = explain(CLASSIFIER, CLIP, **OPTIONS)
    (expected,) = explain_all(
        CLASSIFIER, [Case("clip", "TV", -1, lambda: CLIP)], ExplainOptions(controls=("random", "smooth"), **OPTIONS)
    )
    assert list(found.maps) == list(expected.maps) == ["Grad-CAM", "RISE", "SIDU", "random", "smooth"]
    for method, saliency in expected.maps.items():
        np.testing.assert_array_equal(found.maps[method], saliency)
        np.testing.assert_array_equal(found.curves[method][0].scores, expected.curves[method][0].scores)


@pytest.mark.parametrize("target", ["walk_forward", 2])
def test_classes_are_targets_by_name_wherever_one_is_taken(target):
    found = explain(CLASSIFIER, CLIP, target, label="wave", methods=("rise",), controls=(), **OPTIONS)
    assert (found.target, found.target_name, found.label) == (2, "walk_forward", 1)
    assert found.prediction == CLASSES[int(CLASSIFIER(CLIP).argmax())]
    key, masks = jax.random.key(0), dict(num_masks=20, grid_shape=(2, 3, 3))
    np.testing.assert_allclose(found.maps["RISE"], rise(key, CLASSIFIER, CLIP, 2, **masks), rtol=1e-5)
    np.testing.assert_array_equal(found.ledger.map(target), found.ledger.map(2))
    np.testing.assert_array_equal(gradcam(CLASSIFIER, CLIP, target), gradcam(CLASSIFIER, CLIP, 2))
    np.testing.assert_array_equal(sidu(CLASSIFIER, CLIP, target), sidu(CLASSIFIER, CLIP, 2))
    for measure in (deletion, insertion):
        curve = measure(CLASSIFIER, CLIP, found.maps["RISE"], target, num_steps=3)
        np.testing.assert_array_equal(
            curve.scores, measure(CLASSIFIER, CLIP, found.maps["RISE"], 2, num_steps=3).scores
        )


def test_a_function_of_the_logits_is_explained_as_the_methods_do():
    def margin(logits):
        return logits[0] - logits[2]

    found = explain(CLASSIFIER, CLIP, margin, controls=(), **OPTIONS)
    assert (found.target_name, found.classes) == ("margin", CLASSES)
    assert found.prediction == CLASSES[int(CLASSIFIER(CLIP).argmax())]
    np.testing.assert_allclose(found.probabilities, jax.nn.softmax(CLASSIFIER(CLIP)), rtol=1e-5)
    masks = dict(num_masks=20, grid_shape=(2, 3, 3))
    np.testing.assert_allclose(
        found.maps["RISE"], rise(jax.random.key(0), CLASSIFIER, CLIP, margin, **masks), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(found.maps["Grad-CAM"], gradcam(CLASSIFIER, CLIP, margin), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.maps["SIDU"], sidu(CLASSIFIER, CLIP, margin), rtol=1e-4, atol=1e-6)
    curve = deletion(CLASSIFIER, CLIP, found.maps["RISE"], margin, num_steps=5)
    np.testing.assert_allclose(found.curves["RISE"][0].scores, curve.scores, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="`store` must be left out for a function as target"):
        explain(CLASSIFIER, CLIP, margin, store="results", **OPTIONS)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "walk_forwards",
            r"`target` must be one of .*; got 'walk_forwards'. Did you mean 'walk_forward'\?",
        ),
        ("Walk-Back", r"got 'Walk-Back'. Did you mean 'walk_back'\?"),
        (4, "`target` must be a class from 0 to 3; got 4"),
    ],
)
def test_a_class_that_is_not_there(target, message):
    for call in (lambda: explain(CLASSIFIER, CLIP, target), lambda: gradcam(CLASSIFIER, CLIP, target)):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_function_without_names_or_parts_is_explained_by_rise_alone():
    score_fn = toys.one_voxel((0, 1, 2))
    found = explain(score_fn, CLIP, **OPTIONS)
    assert list(found.maps) == ["RISE", "random", "smooth"]
    assert (found.prediction, found.classes) == ("0", ("0", "1"))
    with pytest.raises(ValueError, match="`target` must be a number or None where the classes have no names; got 'up'"):
        explain(score_fn, CLIP, "up")


def test_the_clips_times_come_along(tmp_path):
    clip = CLIP.view(RecordedClip)
    clip.times = np.array([0.5, 0.6, 0.7, 0.8])
    options = dict(methods=("gradcam",), controls=(), num_steps=3, store=tmp_path)
    assert explain(CLASSIFIER, clip, **options).times.tolist() == [0.5, 0.6, 0.7, 0.8]
    assert explain(CLASSIFIER, CLIP, **options).times is None


def test_a_store_keeps_the_results(tmp_path, passes):
    options = dict(methods=("rise",), store=tmp_path, **OPTIONS)
    first = explain(CLASSIFIER, CLIP, **options)
    assert sum(passes) > 20
    passes.clear()
    np.testing.assert_array_equal(explain(CLASSIFIER, CLIP, **options).maps["RISE"], first.maps["RISE"])
    assert sum(passes) == 0


def test_every_option_of_the_command_line_is_a_keyword():
    keywords = inspect.signature(explain).parameters
    fields = {field.name: field for field in dataclasses.fields(ExplainOptions)}
    others = {"method", "measure", "clips_per_batch", "against"}  # methods, measures; a target is a `Contrast`
    assert set(fields) - set(keywords) == others
    for name in (set(fields) & set(keywords)) - {"controls"}:  # "other" needs a second clip
        assert keywords[name].default == fields[name].default, name
