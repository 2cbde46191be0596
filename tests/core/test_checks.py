"""Checks of names and numbers."""

import pytest

from golden import FOLDER as GOLDEN
from jaxsal.core.checks import check_seed, hint
from jaxsal.datasets.synthetic import synthetic_actions
from jaxsal.evaluation.config import ClipChoice, MethodGrid, SweepConfig
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.paper.config import PRESETS
from jaxsal.training.convert import checkpoint_from_torch
from jaxsal.training.options import TrainOptions

FOLDER = GOLDEN / "torch_files"

CLASSES = ("walk_forward", "walk_back", "wave")


@pytest.mark.parametrize(
    ("typed", "closest"),
    [("walk_forwards", "walk_forward"), ("Walk_Back", "walk_back"), ("walk-back", "walk_back"), ("WAVE", "wave")],
)
def test_the_closest_name_is_asked_for_whatever_its_case(typed, closest):
    assert hint(typed, CLASSES) == f" Did you mean {closest!r}?"


@pytest.mark.parametrize("typed", ["jump", 3, None])
def test_nothing_is_asked_where_nothing_is_close(typed):
    assert hint(typed, CLASSES) == ""


@pytest.mark.parametrize("seed", [-1, 2**32, 2**63, 10**30])
def test_seeds_that_a_key_takes_for_another(seed):
    with pytest.raises(ValueError, match=f"`seed` must be from 0 to 4294967295; got {seed}"):
        check_seed(seed)


@pytest.mark.parametrize("seed", [True, 1.0, "1", None])
def test_seeds_that_are_no_integers(seed):
    with pytest.raises(TypeError, match=f"`seed` must be an integer; got {seed!r}"):
        check_seed(seed)


@pytest.mark.parametrize(
    "take",
    [
        lambda seed: ExplainOptions(seed=seed),
        lambda seed: TrainOptions(seed=seed),
        lambda seed: ClipChoice(seed=seed),
        lambda seed: SweepConfig("store", ("run",), (MethodGrid("rise"),), seed=seed),
        lambda seed: PRESETS["small"].with_seed(seed),
        lambda seed: synthetic_actions(seed=seed),
        lambda seed: checkpoint_from_torch(FOLDER / "zip.pt", seed=seed),
    ],
)
def test_every_entry_checks_its_seed(take):
    with pytest.raises(ValueError, match="`seed` must be from 0 to 4294967295; got 4294967296"):
        take(2**32)
