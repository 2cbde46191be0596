"""A sweep over baselines: of curves and of masks."""

import jax
import numpy as np
import pytest

import sweeps
from jaxsal.engine.baselines import Baseline, make_baseline
from jaxsal.evaluation.config import MethodGrid
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.results import open_results
from jaxsal.evaluation.status import status

pytestmark = pytest.mark.usefixtures("no_shape_checks")
BASELINES = ("time_mean", "reverse", "blur")


def test_curves_of_several_baselines_share_masks_and_know_their_floors(tmp_path):
    sweeps.make_recordings(tmp_path)
    rise = MethodGrid("rise", options={"num_masks": [5], "baseline": ["mean", "first_frame"]})
    config = sweeps.config(tmp_path, methods=(rise,), curve_steps=3, curve_baselines=BASELINES)
    groups = sweeps.toy_groups(config)
    plan, _ = make_plan(groups, None)
    assert (plan.cells, plan.masks) == (2 * 3, 2 * 5 * 3)
    sweeps.run(config)

    rows = open_results(config.store).rows
    assert len(rows) == 2 * 3 * 3
    assert {(row["baseline"], row["deletion_baseline"]) for row in rows} == {
        (masks, curves) for masks in ("mean", "first_frame") for curves in BASELINES
    }
    (group,) = groups
    clips = {case.name: case.load() for case in group.cases}
    for row in rows:
        assert row["insertion_baseline"] == row["deletion_baseline"]
        clip, target = clips[row["clip"]], group.classes.index(row["target"])
        replaced = make_baseline(Baseline.of(row["deletion_baseline"]), clip, group.classifier)
        expected = jax.nn.softmax(group.classifier(np.broadcast_to(replaced, clip.shape)))[target]
        assert row["floor"] == pytest.approx(float(expected), rel=1e-4)
        assert row["start"] == pytest.approx(float(expected), rel=1e-4)

    found = status(config, groups)
    floors = {name: np.mean([row["floor"] for row in rows if row["deletion_baseline"] == name]) for name in BASELINES}
    high = [name for name, floor in floors.items() if floor > 0.3]
    assert high
    assert len(found.data["notes"]) == len(high)
    for name, note in zip(high, found.data["notes"], strict=True):
        assert f"{floors[name]:.2f} of deletion (baseline {name})" in note
        assert note in found.text
