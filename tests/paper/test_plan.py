"""What a run of the study would do, against what its cells add up to."""

from pathlib import Path

import pytest

from jaxsal.paper.config import ARCHITECTURES, PRESETS
from jaxsal.paper.plan import plan_study
from runs import NETWORKS

STUDY = PRESETS["small"]


def test_tables_share_masks_maps_and_the_ends_of_curves(tmp_path, monkeypatch):
    """RISE's masks are scored once for all its rows; of the main tables nothing is done beside RISE's own row.

    Of the tiny network in the place of both, whose last activations have 16 times the channels of its first.
    """
    for arch in ARCHITECTURES:
        monkeypatch.setitem(NETWORKS, arch, NETWORKS["tiny"])
    plan = plan_study(STUDY, tmp_path / "run", only=("rise-masks",))
    num_clips, between = STUDY.clips_per_spectrum, 2 * (STUDY.num_steps - 2)
    expected = 0
    for config in (STUDY.network("resnet3d18", "IRTV"), STUDY.network("pan", "IRTV")):
        main = 9 * between + 16 * config.width  # three methods, three maps of other clips, three other controls
        rows = (len(STUDY.mask_counts) - 1) * between  # one of the numbers of masks is that of the main tables
        expected += 1 + max(STUDY.mask_counts) + main + rows + 2
    assert plan.passes == 2 * num_clips * expected
    assert plan.clips == 2 * 2 * num_clips
    assert plan.steps == sum(config.training.num_steps for config in STUDY.networks)
    assert not list(tmp_path.iterdir())


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="`only` must be one of .*rise-masks.*; got 'x'"):
        plan_study(STUDY, Path("nowhere"), only=("x",))
