"""What is left to do, found out from the store's index alone."""

import numpy as np
import pytest

import runs
import sweeps
from jaxsal.evaluation import config as configs, grid, runner
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.config import MethodGrid
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.status import status
from jaxsal.evaluation.store import Store

pytestmark = pytest.mark.usefixtures("no_shape_checks")


def config_of(inputs, tmp_path, **changes):
    return sweeps.config(inputs, tmp_path / "store", **(dict(methods=(sweeps.FEW,)) | changes))


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_status_plans_and_writes_nothing(inputs, tmp_path, monkeypatch):
    config = config_of(inputs, tmp_path)
    groups = sweeps.toy_groups(config)
    with pytest.raises(FileNotFoundError, match="`store` must hold results; got "):
        status(config, groups)
    found = status(config, groups, new=True)
    assert "at most 30 forward passes to do" in found.text
    assert "0 of 27 masks held in scores" in found.text
    assert not (tmp_path / "store").exists()

    put, puts = Store.put, []

    def interrupted(self, *arguments, **options):
        puts.append(arguments)
        if len(puts) > 3:  # of two commits a clip: in the second clip
            raise KeyboardInterrupt
        put(self, *arguments, **options)

    monkeypatch.setattr(Store, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweeps.run(config)
    monkeypatch.setattr(Store, "put", put)
    before = files_of(tmp_path / "store")
    found = status(config, groups)
    assert [cell["done"] for cell in found.data["cells"]] == [0, 0]
    left = found.data["forward_passes"]
    assert 0 < left < 30
    assert f"{left} forward passes to do" in found.text
    assert before == files_of(tmp_path / "store")
    for path in (tmp_path / "store" / "parts").iterdir():
        path.write_bytes(path.read_bytes()[:60])
    found = status(config, groups)
    assert "damaged: " in found.text
    assert "0 of 27 masks held in scores" in found.text
    assert sweeps.run(config).passes == 30


def test_targets_and_labels_are_checked_before_computing(inputs, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="`target` must be a class from 0 to 1; got 2"):
        sweeps.toy_groups(config_of(inputs, tmp_path, methods=(MethodGrid("gradcam", target=(2,)),)))
    with pytest.raises(ValueError, match="`target` must be one of .*; got 'best'"):
        sweeps.toy_groups(config_of(inputs, tmp_path, methods=(MethodGrid("gradcam", target=("best",)),)))
    with pytest.raises(ValueError, match="`batch_size` must be left out in a sweep; got 4"):
        sweeps.toy_groups(config_of(inputs, tmp_path, methods=(MethodGrid("rise", options={"batch_size": [4]}),)))
    with pytest.raises(ValueError, match="`frames_per_mask` must divide the clip's 4 frames; got 3"):
        sweeps.toy_groups(config_of(inputs, tmp_path, methods=(MethodGrid("rise", frames_per_mask=(3,)),)))
    monkeypatch.setattr(grid, "select_cases", lambda *arguments: [Case("r7", "IR", -1, lambda: None)])
    with pytest.raises(ValueError, match="`target` must be known for every clip; got no label for r7"):
        sweeps.toy_groups(config_of(inputs, tmp_path, methods=(MethodGrid("gradcam", target=("label",)),)))


def test_classes_are_named_and_one_kind_of_scores_is_that_of_methods_and_curves(inputs, tmp_path):
    """An option of a method that lists its own scores stays."""
    methods = (MethodGrid("gradcam"), MethodGrid("rise", target=(runs.CLASSES[1],)), MethodGrid("sidu"))
    methods += (MethodGrid("sidu", options={"scores": ["softmax"]}),)
    (group,) = sweeps.toy_groups(config_of(inputs, tmp_path, methods=methods, curve_steps=3, scores="sigmoid"))
    assert [cell.target for cell in group.cells] == ["predicted", 1, "predicted", "predicted"]
    assert [cell.options.scores for cell in group.cells[1:]] == ["sigmoid", "sigmoid", "softmax"]
    assert {own.scores for cell in group.cells for own in cell.measures.values()} == {"sigmoid"}
    assert {cell.shown for cell in group.cells} == {"sigmoid"}


def test_a_plan_of_many_cells_looks_at_each_once(inputs, tmp_path, monkeypatch):
    """Sets of options are resolved once for each cell, and no cell is looked up by going through the others."""
    values = {"keep_prob": np.linspace(0.1, 0.9, 20).tolist(), "num_masks": list(range(1, 41)), "scores": ["logits"]}
    resolved, resolve = [], configs.resolve_options
    monkeypatch.setattr(configs, "resolve_options", lambda *arguments: resolved.append(1) or resolve(*arguments))
    sweep = config_of(inputs, tmp_path, methods=(MethodGrid("rise", options=values, target=(0, 1)),))
    looked = []
    monkeypatch.setattr(Store, "clips", lambda self, kind, series: looked.append(series) or [])
    plan, tasks = make_plan(sweeps.toy_groups(sweep), Store(sweep.store, create=True))
    assert len(resolved) == 800
    assert (plan.cells, plan.clips, plan.masks) == (1600, 3, 3 * 20 * 40)
    assert plan.passes == 3 * (1 + 20 * 40)
    assert len(looked) == len(set(looked)) == 1600
    assert {len(task.cells) for task in tasks} == {1600}


def test_scores_are_dropped_once_their_cells_are_done(inputs, tmp_path, monkeypatch):
    """However many sets of scores a sweep has, a few are in memory."""
    options = {"num_masks": [3], "keep_prob": np.linspace(0.1, 0.9, runner.CELLS_AT_ONCE + 4).tolist()}
    config = config_of(inputs, tmp_path, methods=(MethodGrid("rise", options=options),))
    held, explain = [], runner.Work.explain

    def spy(self, cells, scores, clips):
        held.append(len(scores))
        return explain(self, cells, scores, clips)

    monkeypatch.setattr(runner.Work, "explain", spy)
    sweeps.run(config)
    assert max(held) == runner.CELLS_AT_ONCE
    assert sweeps.run(config).passes == 0
