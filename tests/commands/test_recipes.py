"""The help: every option says what it takes and what holds if it is not set; shells complete it."""

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest

from jaxsal.commands import cli
from jaxsal.commands.demo import PRESETS
from jaxsal.evaluation.options import RECIPE_FIELDS, ExplainOptions
from jaxsal.recipes import resolve_options
from jaxsal.training.options import TRAIN_RECIPES, train_options

VERBS = [
    *([kind.__name__.lower()] for kind in get_args(cli.Command) if kind is not cli.Data),
    *(["data", job] for job in ("prepare", "list", "info")),
]


@pytest.fixture
def help_of(capsys, monkeypatch):
    """The help of a command, by option, in one line each."""
    monkeypatch.setenv("COLUMNS", "400")

    def options(*words):
        with pytest.raises(SystemExit) as stopped:
            cli.main([*words, "--help"])
        assert stopped.value.code in (0, None)
        _, *options = re.split(r"\n[ │|]*(?=--\w)", capsys.readouterr().out)
        return {option.split()[0]: re.sub(r"[│|\s]+", " ", option) for option in options}

    return options


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_option_says_what_holds_if_it_is_not_set(words, help_of):
    options = help_of(*words)
    assert set(cli.SWITCHES) <= options.keys()
    for text in options.values():
        assert re.search(r"\((default: .+|required)\)", text)
        assert "None" not in text
        assert "if used" not in text


def test_the_help_shows_the_values_of_every_recipe(help_of):
    explain, train = help_of("explain"), help_of("train")
    assert "(default: 1000; canonical 6000)" in explain["--num-masks"]
    assert "(default: mean; icpr2022 zero)" in explain["--deletion-baseline"]
    assert "(default: mean; icpr2022 zero)" in explain["--mask-baseline"]
    assert "(default: 2 8 8)" in explain["--grid-shape"]
    assert "a numeric --chunk-size bounds them" in explain["--clips-per-batch"]
    assert "(default: 16; icpr2022 22)" in train["--batch-size"]
    assert "(default: unset; icpr2022 50)" in train["--num-epochs"]
    assert {"{default,icpr2022,canonical}", "{default,icpr2022}"} == {
        h["--recipe"].split()[1] for h in (explain, train)
    }
    resnet, pan = PRESETS["resnet3d18"], PRESETS["pan"]
    assert resnet.retraining.num_steps == pan.retraining.num_steps
    scratch = f"--scratch {resnet.training.num_steps}, pan {pan.training.num_steps}"
    steps = f"{resnet.retraining.num_steps}; with {scratch}"
    assert f"(default: {steps})" in help_of("demo")["--num-steps"]


def test_a_verb_may_have_other_defaults_than_the_dataclass(help_of):
    ranked = cli.Rank(Path("run")).options
    assert (ranked.measure, "shapley" in ranked.method, ranked.controls) == (("all",), True, ("smooth", "other"))
    assert cli.read_verb(["rank", "--checkpoint", "run"]).options == ranked
    fewer = cli.read_verb(["rank", "--checkpoint", "run", "--method", "rise", "--measure"]).options
    assert fewer == dataclasses.replace(ranked, method=("rise",), measure=())
    options = help_of("rank")
    assert "(default: all)" in options["--measure"]
    assert f"(default: {' '.join(ranked.method)})" in options["--method"]


def test_options_that_are_set_replace_those_of_the_recipe():
    words = ["train", "--output", "run", "--recipe", "icpr2022", "--num-steps", "7", "--learning-rate", "0.5"]
    assert cli.read_verb(words).options == train_options("icpr2022", num_steps=7, learning_rate=0.5)
    assert cli.read_verb(["train", "--output", "run"]).options == TRAIN_RECIPES["default"]
    words = ["explain", "clip.npy", "--checkpoint", "run", "--grid-shape", "3", "4", "5", "--recipe", "canonical"]
    assert cli.read_verb(words).options == ExplainOptions(grid_shape=(3, 4, 5), recipe="canonical")


@pytest.mark.parametrize("method", RECIPE_FIELDS)
def test_explain_options_reach_their_method(method):
    values = dict(num_masks=7, rise_batch=3, sidu_batch=4, mask_baseline="reverse")
    values |= dict(deletion_baseline="zero", insertion_baseline="mean")
    expected = dict(
        gradcam={},
        rise=dict(num_masks=7, baseline="reverse", batch_size=3),
        sidu=dict(baseline="reverse", batch_size=4),
        ridge=dict(num_masks=7, baseline="reverse", batch_size=3),
        kernelshap=dict(num_masks=7, baseline="reverse"),
        shapley=dict(num_masks=7, baseline="reverse"),
        occlusion=dict(baseline="reverse"),
        scorecam=dict(baseline="reverse"),
        **{name: {} for name in ("hirescam", "layercam", "gradcampp", "reciprocam")},
        integrated=dict(baseline="reverse"),
        smoothgrad={},
        deletion=dict(baseline="zero"),
        insertion=dict(baseline="mean"),
    )
    options = ExplainOptions(**values, recipe="canonical")
    assert options.overrides(method) == expected[method]
    resolved, recipe = vars(options.resolve(method)), vars(resolve_options(method, "canonical", {}))
    assert resolved == recipe | expected[method]


def test_shells_complete_names_and_options(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--tyro-print-completion", "bash"])
    script = capsys.readouterr().out
    for name in ("canonical", "gaussian", "multiscale", "--dry-run", "--json", "--no-cache", "--version"):
        assert name in script
