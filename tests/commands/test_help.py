"""The help says what holds where an option is left out, and which names there are, to people and to shells."""

import re
from dataclasses import fields
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest

from jaxsal.commands import cli
from jaxsal.commands.demo import Demo
from jaxsal.commands.demonstration import PRESETS
from jaxsal.engine import grids as grid_draws
from jaxsal.options import BASELINE_NAMES, SAMPLINGS, TRAIN_RECIPES, ExplainOptions, train_options
from jaxsal.recipes import BASELINES, RECIPES

VERBS = [
    *([kind.__name__.lower()] for kind in get_args(cli.Command) if kind is not cli.Data),
    *(["data", job] for job in ("prepare", "list", "info")),
]


def shown(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stopped:
        cli.main([*words, "--help"])
    assert stopped.value.code in (0, None)
    return capsys.readouterr().out


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_option_says_what_it_takes_and_what_holds_where_it_is_left_out(words, capsys, monkeypatch):
    text = shown(words, capsys, monkeypatch)
    assert "None" not in text
    assert "if used" not in text
    assert "(default: )" not in text
    for switch in cli.EVERYWHERE:
        assert switch in text
    options = re.split(r"\n[ │|]*(?=--\w)", text)[1:]
    assert all(re.search(r"\((default|required)", option) for option in options)


def test_choices_are_listed_and_completed(capsys, monkeypatch):
    text = shown(["explain"], capsys, monkeypatch)
    for names in ("gradcam,rise,sidu", "random,constant", "default,icpr2022,canonical", "mean,centered", "gif,mp4"):
        assert "{" + names + "}" in text
    assert "CLIP" in text.splitlines()[0]
    with pytest.raises(SystemExit):
        cli.main(["--tyro-print-completion", "bash"])
    script = capsys.readouterr().out
    for name in ("canonical", "gaussian", "multiscale", "--dry-run", "--json", "--no-cache", "--version"):
        assert name in script


def hints(owner):
    """By option, what the help says holds where it is left out."""
    found = {}
    for name, kind in get_type_hints(owner, include_extras=True).items():
        notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
        texts = [note.help_behavior_hint for note in notes if getattr(note, "help_behavior_hint", None)]
        if texts:
            found[name] = texts[0].removeprefix("(default: ").removesuffix(")")
    return found


def effective(of_recipe, recipes):
    """The default recipe's value, and those of the others where they differ, as the help writes them."""

    def text(value):
        return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    default = of_recipe(recipes["default"])
    others = [f"{name} {text(of_recipe(r))}" for name, r in recipes.items() if of_recipe(r) != default]
    return "; ".join([text(default), *others])


def test_the_defaults_shown_are_those_of_the_recipes():
    assert BASELINES == BASELINE_NAMES
    assert SAMPLINGS == grid_draws.SAMPLINGS
    said = hints(ExplainOptions)
    sources = {name: ("rise", name) for name in ("num_masks", "grid_shape", "keep_prob", "estimator", "sampling")}
    sources |= {"threshold": ("sidu", "threshold")}
    sources |= {f"{measure}_baseline": (measure, "baseline") for measure in ("deletion", "insertion")}
    sources |= {name: ("deletion", name) for name in ("approximation", "tolerance")}
    for name, (method, field) in sources.items():
        assert said.pop(name) == effective(lambda r, m=method, f=field: getattr(getattr(r, m), f), RECIPES)
    steps = said.pop("num_steps")
    assert steps.split(";")[0] == str(RECIPES["default"].deletion.num_steps)
    assert RECIPES["canonical"].deletion.step_size == "row"
    batches = {said.pop(f"{method}_batch") for method in ("rise", "sidu")}
    assert batches == {"each by itself"}
    assert {getattr(recipe, method).batch_size for recipe in RECIPES.values() for method in ("rise", "sidu")} == {None}
    assert not said
    said = hints(train_options)
    for name in ("batch_size", "optimizer", "learning_rate", "weight_decay", "cropping", "flip_prob", "seed"):
        assert said[name] == effective(lambda r, n=name: getattr(r, n), TRAIN_RECIPES)
    assert (
        said["num_steps"]
        == f"{TRAIN_RECIPES['default'].num_steps}; icpr2022 {TRAIN_RECIPES['icpr2022'].num_epochs} epochs"
    )
    assert {field.name for field in fields(TRAIN_RECIPES["default"])} | {"recipe"} == set(said)


def test_the_demos_steps_are_those_of_its_networks():
    steps = {arch: preset.training.num_steps for arch, preset in PRESETS.items()}
    assert hints(Demo)["num_steps"] == f"{steps['resnet3d18']}; pan {steps['pan']}"


@pytest.mark.parametrize("both", [dict(num_steps=5, num_epochs=3)])
def test_steps_and_epochs_are_not_both_given(both):
    with pytest.raises(ValueError, match="`num_steps` must not come with `num_epochs`; got 5 and 3"):
        train_options(**both)
    with pytest.raises(ValueError, match="`seed` must be at least 0; got -1"):
        train_options(seed=-1)
