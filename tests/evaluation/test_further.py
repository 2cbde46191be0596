"""The methods beyond the study in a run: maps as from Python, passes as planned, and a restart that makes none."""

import dataclasses

import jax
import numpy as np
import pytest

import pages
from jaxsal import saliency_map
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.explain import explain_all, explaining_groups
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.plan import make_plan
from jaxsal.recipes.further import FOR_TOKENS, FURTHER
from jaxsal.saliency.methods import METHODS

pytestmark = pytest.mark.usefixtures("no_shape_checks")
CLIP = np.asarray(jax.random.uniform(jax.random.key(3), (4, 4, 6, 3)))
NAMES = tuple(name for name in FURTHER if name not in FOR_TOKENS)
OPTIONS = ExplainOptions(NAMES, (), num_masks=32, num_samples=3, grid_shape=(2, 2, 2), num_steps=3, seed=5)


def test_the_ridge_read_out_shares_the_passes_of_rise():
    def planned(*method):
        options = dataclasses.replace(OPTIONS, method=method)
        groups = explaining_groups(pages.CLASSIFIER, CLIP.shape, [Case("a", "TV", 1, lambda: CLIP)], options)
        (found,) = groups[0].score_sets.values()
        assert found.own == ("rise" in method)
        return make_plan(groups, None)[0].passes

    measuring = 2 * (3 - 2)
    assert planned("ridge", "rise") == planned("rise") + measuring == planned("ridge") + measuring


def test_every_method_in_one_run(tmp_path, passes):
    cases = [Case("a", "TV", 1, lambda: CLIP), Case("b", "TV", 1, lambda: CLIP[:, ::-1])]
    (group,) = explaining_groups(pages.CLASSIFIER, CLIP.shape, cases, OPTIONS)
    plan, _ = make_plan([group], None)
    first, _ = explain_all(pages.CLASSIFIER, cases, OPTIONS, tmp_path)
    assert sum(passes) <= plan.passes
    again, _ = explain_all(pages.CLASSIFIER, cases, OPTIONS, tmp_path)
    assert sum(passes) <= plan.passes
    for name in NAMES:
        title = METHODS[name].title
        alone = saliency_map(pages.CLASSIFIER, CLIP, method=OPTIONS.resolve(name), seed=5)
        np.testing.assert_allclose(first.maps[title], alone, rtol=1e-4, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(again.maps[title], first.maps[title])
        assert np.ptp(first.maps[title]) > 0 or name == "smoothgrad", name  # the network is linear
