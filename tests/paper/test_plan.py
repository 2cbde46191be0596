"""What a run of the study would do, against what its cells add up to."""

from pathlib import Path

import pytest

from jaxsal.evaluation.plan import passes_per_clip
from jaxsal.paper.config import PRESETS
from jaxsal.paper.plan import plan_study

STUDY = PRESETS["small"]


def test_runs_that_differ_in_the_number_of_masks_share_them(tmp_path):
    plan = plan_study(STUDY, tmp_path / "run", only=("rise-masks",))
    num_clips, steps = STUDY.clips_per_spectrum, 2 * STUDY.num_steps
    expected = 0
    for config in (STUDY.network("resnet3d18", "IRTV"), STUDY.network("pan", "IRTV")):
        main = passes_per_clip(config.spec(["a", "b"]), STUDY.options("default"))
        assert main["rise"] == STUDY.num_masks
        assert main["curves"] == 5 * steps
        others = len(STUDY.mask_counts) - 1  # one of the numbers is that of the main tables
        expected += sum(main.values()) - main["rise"] + max(STUDY.mask_counts) + others * (1 + steps)
    assert plan.passes == 2 * num_clips * expected
    assert plan.clips == 2 * 2 * num_clips * len(STUDY.mask_counts)
    assert plan.steps == sum(config.training.num_steps for config in STUDY.networks)
    assert not list(tmp_path.iterdir())


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="`only` must be one of .*rise-masks.*; got 'x'"):
        plan_study(STUDY, Path("nowhere"), only=("x",))
