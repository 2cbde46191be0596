"""A method and a measure of one's own are known everywhere once they are registered."""

import csv
import dataclasses

import numpy as np
import pytest
from scipy.special import softmax

import average_drop
import occlusion
import pages
import sweeps
from jaxsal import recipes, score_masks
from jaxsal.commands import cli
from jaxsal.commands.parsing import parse
from jaxsal.evaluation.config import MethodGrid
from jaxsal.evaluation.maps import read_map
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.results import open_results
from jaxsal.evaluation.store import Store
from jaxsal.metrics import measures
from jaxsal.report.folder import write_folder
from jaxsal.report.run import read_run, report_page
from jaxsal.saliency import methods

pytestmark = pytest.mark.usefixtures("no_shape_checks")


@pytest.fixture(autouse=True)
def registered():
    registries = methods.METHODS, measures.MEASURES, recipes.METHODS, recipes.ADDED_MEASURES, recipes._ADDED
    before = [dict(registry) for registry in registries]
    occlusion.register()
    average_drop.register()
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


def expected_map(classifier, clip, target, options):
    family = occlusion.BlockMasks(options.blocks, clip.shape[:3])
    logits = score_masks(classifier, clip, family, baseline=options.baseline)
    lost = softmax(classifier(clip))[target] - softmax(np.asarray(logits), axis=-1)[:, target]
    return lost[occlusion.block_numbers(family)]


def expected_drop(classifier, clip, saliency, target):
    half = (saliency >= np.median(saliency)).astype(np.float32)
    kept = score_masks(classifier, clip, half[None], baseline="mean")[0]
    return max(0.0, 1 - float(softmax(np.asarray(kept))[target] / softmax(classifier(clip))[target]))


def test_explaining_and_reporting(tmp_path, passes):
    options = dataclasses.replace(pages.OPTIONS, method=("patches", "gradcam"))
    folder = pages.write_run(tmp_path / "run", pages.cases(), options)
    maps, steps = 3, 2 * (9 - 2)
    assert sum(passes) == 4 * (1 + 18 + maps * (steps + 1) + 2)
    found = read_run(folder)
    explanation = found.explanations[1]
    target, clip = explanation.target, explanation.clip
    saliency = expected_map(pages.CLASSIFIER, clip, target, occlusion.OcclusionOptions())
    np.testing.assert_allclose(explanation.maps["Patches"], saliency, rtol=1e-4, atol=1e-6)
    drops = {method: named["average_drop"] for method, named in explanation.measures.items()}
    for method in ("Patches", "random"):
        drop = expected_drop(pages.CLASSIFIER, clip, explanation.maps[method], target)
        assert drops[method] == pytest.approx(drop, rel=1e-4, abs=1e-6)

    write_folder(tmp_path / "out", found.explanations, pages.CLASSES, {})
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    (row,) = (row for row in rows if (row["clip"], row["method"]) == (explanation.name, "Patches"))
    assert float(row["average_drop"]) == pytest.approx(drops["Patches"])
    mean = np.mean([float(row["average_drop"]) for row in rows if (row["spectrum"], row["method"]) == ("IR", "random")])
    assert "average_drop ↓ mean ± std" in (tmp_path / "out" / "table.md").read_text()
    assert "average_drop_mean" in (tmp_path / "out" / "table.csv").read_text()
    page = report_page(found).text
    assert "average_drop ↓" in page
    assert f"<td>{mean:.3f} ± " in page
    assert "Patches" in [one["method"] for one in pages.page_data(page)["scenes"][0]["panels"][0]["maps"]]
    assert len(open_results(folder / "results").rows) == 4 * maps


def test_sweeping(inputs, tmp_path, passes):
    grid = MethodGrid("patches", options={"blocks": [[1, 2, 2], [2, 2, 4]]}, target=("predicted", 1))
    config = sweeps.config(inputs, tmp_path, methods=(grid,), curve_steps=3)
    plan = sweeps.run(config)
    assert plan.passes == sum(passes) == 3 * (1 + 4 + 16 + 4 * (2 + 1) + 2)
    (group,), store = sweeps.toy_groups(config), Store(config.store)
    results = open_results(config.store)
    assert len(results.rows) == 12
    for number, cell in enumerate(group.cells):
        for case in group.cases:
            (row,) = (r for r in results.rows if (r["cell"], r["clip"]) == (group.series[number], case.name))
            found, target = read_map(store, group, number, case), group.classes.index(row["target"])
            expected = expected_map(group.classifier, case.load(), target, cell.options)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
            drop = expected_drop(group.classifier, case.load(), found, target)
            assert row["average_drop"] == pytest.approx(drop, rel=1e-3, abs=1e-5)
            assert row["blocks"] == cell.options.blocks
    assert sweeps.run(config).passes == 0


def test_the_command_line_and_messages_know_them():
    words = ["explain", "clip.npy", "--checkpoint", "run", "--method", "patches", "rise"]
    assert parse(cli.Command, words, "").options.method == ("patches", "rise")
    with pytest.raises(ValueError, match="`method` must be one of .*'patches'.*; got 'pathces'. Did you mean 'patc"):
        ExplainOptions(method=("pathces",))
    assert ExplainOptions().measures == ("deletion", "insertion", "average_drop")
