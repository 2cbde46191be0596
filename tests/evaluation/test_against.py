"""One class against another: in scores, in curves, in a run and in its tables, by command."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pages
import sweeps
from jaxsal import Contrast, deletion, explain, rise_ledger, sidu
from jaxsal.commands import cli
from jaxsal.commands.parsing import parse
from jaxsal.engine.class_scores import target_scores
from jaxsal.evaluation.cells import class_against
from jaxsal.evaluation.config import MethodGrid
from jaxsal.evaluation.explain import explain_all
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.results import open_results
from jaxsal.report.run import read_run, report_page

pytestmark = pytest.mark.usefixtures("no_shape_checks")
LOGITS = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def odds(logits, own, other):
    return 1 / (1 + np.exp(logits[:, other] - logits[:, own]))


def test_the_score_is_a_probability_among_two():
    np.testing.assert_allclose(target_scores(LOGITS, Contrast(1, 3), "softmax"), odds(LOGITS, 1, 3), rtol=1e-5)
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(target_scores(p, Contrast(1, 3), "given"), odds(LOGITS, 1, 3), rtol=1e-5)
    np.testing.assert_allclose(target_scores(LOGITS, Contrast(1, 3), "logits"), LOGITS[:, 1] - LOGITS[:, 3])
    yes = target_scores(LOGITS[:, :1], Contrast(1, 0), "softmax")
    np.testing.assert_allclose(yes, 1 / (1 + np.exp(-2 * LOGITS[:, 0])), rtol=1e-5)


def test_explaining_against_the_second_class(tmp_path, passes):
    options = dataclasses.replace(pages.OPTIONS, method=("gradcam", "rise", "sidu"), against="second")
    folder = pages.write_run(tmp_path / "run", pages.cases(), options)
    made = sum(passes)
    run = read_run(folder)
    found = run.explanations[0]
    second = int(np.argsort(-found.probabilities)[1])
    assert (found.target, found.against) == (int(found.probabilities.argmax()), second)
    contrast = Contrast(found.target, second)
    classifier, clip = pages.CLASSIFIER, found.clip
    np.testing.assert_allclose(found.maps["SIDU"], sidu(classifier, clip, contrast), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.maps["RISE"], found.ledger.map(contrast), rtol=1e-5)
    curve = deletion(classifier, clip, found.maps["Grad-CAM"], contrast, num_steps=9)
    np.testing.assert_allclose(found.curves["Grad-CAM"][0].scores, curve.scores, rtol=1e-4, atol=1e-6)
    assert found.target_name.endswith(f" against {found.class_name(second)}")
    assert {row["against"] for row in open_results(folder / "results").rows} <= set(pages.CLASSES)
    assert found.target_name in report_page(run).text
    again = explain_all(classifier, pages.cases(), dataclasses.replace(options, against=None), folder / "results")
    assert again[0].against is None
    curves = 4 * 4 * 2 * 7  # maps of Grad-CAM, RISE, SIDU and one control on four clips: masks are not scored again
    assert sum(passes) - made <= curves + 2 * 4 + 4


def test_from_python_and_in_a_sweep(inputs, tmp_path):
    clip = pages.cases()[0].load()
    found = explain(pages.CLASSIFIER, clip, Contrast(2, 0), methods=("rise",), controls=(), num_masks=16, num_steps=3)
    assert (found.target, found.against) == (2, 0)
    np.testing.assert_allclose(found.maps["RISE"], found.ledger.map(Contrast(2, 0)), rtol=1e-5)
    grid = MethodGrid("rise", options={"num_masks": [8], "grid_shape": [[2, 3, 3]]}, against=("second", "up", 0))
    config = sweeps.config(inputs, tmp_path, methods=(grid,))
    sweeps.run(config)
    rows = open_results(config.store).rows
    assert len(rows) == 3 * 3
    assert all({row["target"], row["against"]} == {"up", "down"} for row in rows)


def test_names_and_messages():
    words = ["explain", "clip.npy", "--checkpoint", "run", "--against", "clapping"]
    assert parse(cli.Command, words, "").options == ExplainOptions(against="clapping")
    assert [class_against(name, ("a", "b")) for name in (None, "second", "b", "0")] == ["", "second", 1, 0]
    with pytest.raises(
        ValueError, match="`against` must be 'second', one of .* or a number of a class; got 'waev'. Did"
    ):
        class_against("waev", ("wave", "clap"))
    ledger = rise_ledger(jax.random.key(0), lambda clip: clip.mean() * jnp.ones(3), jnp.ones((2, 4, 4, 3)), num_masks=4)
    with pytest.raises(ValueError, match="`target` must be of two different classes; got Contrast"):
        ledger.map(Contrast(1, 1))
    with pytest.raises(ValueError, match="`target` must be a class from 0 to 2; got 3"):
        ledger.map(Contrast(1, 3))
    with pytest.raises(TypeError, match="`target` must be of two classes, by number or name; got Contrast"):
        ledger.map(Contrast(1, None))
