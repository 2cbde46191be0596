"""Configs of sweeps as TOML and JSON with a value that cannot mean anything; JAXSAL_CALLS sets how many are tried."""

import json
import os
import random
from functools import partial

import pytest

from bad_calls import calls_of, outcome
from jaxsal.evaluation.config import ClipChoice, MethodGrid, SweepConfig, load_config

NUM_CALLS = int(os.environ.get("JAXSAL_CALLS", "300"))
RIGHT = dict(store="store", checkpoints=["run"], methods=[dict(method="rise")], clips=[{}])
ALLOWED = {
    "SweepConfig": dict(
        spectra=("[]",), measures=("[]",), controls=("[]",), curve_baselines=("[]",), curve_steps=("0",)
    ),
    "MethodGrid": dict(target=("-1", "7", "'nothing'"), frames_per_mask=("[]",), options=("{'num_masks': [0]}",)),
}
PLACES = dict(SweepConfig=(), ClipChoice=("clips", 0), MethodGrid=("methods", 0))


def is_json(value):
    try:
        return json.loads(json.dumps(value)) == value
    except (TypeError, ValueError):
        return False


def all_calls():
    for kind in (SweepConfig, ClipChoice, MethodGrid):
        for call in calls_of(kind.__name__, kind, ALLOWED.get(kind.__name__, {})):
            if is_json(call.value):
                yield call


CALLS = list(all_calls())


def config_with(call):
    """The right config with the value of a call in its place."""
    config = json.loads(json.dumps(RIGHT))
    table = config
    for step in PLACES[call.function]:
        table = table[step]
    table[call.argument] = call.value
    return config


@pytest.mark.usefixtures("no_shape_checks")
def test_values_are_refused_by_name(tmp_path):
    assert len(CALLS) > 100
    wrong = []
    for call in random.Random(0).sample(CALLS, min(NUM_CALLS, len(CALLS))):
        path = tmp_path / "sweep.json"
        path.write_text(json.dumps(config_with(call)))
        wrong.append(outcome(call, partial(load_config, path)))
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"`config` must have the field 'store'"),
        ("store = 3\ncheckpoints = []\nmethods = []", r"`config.store` must be a text; got 3"),
        ('store = "s"\nmetods = []', r"got 'metods'. Did you mean 'methods'\?"),
        ("store =", r"`config` must be TOML; got .*sweep.toml"),
        ('clips = [{daat = "x"}]', r"`config` must have the field|Did you mean 'data'\?"),
        ('[[methods]]\nmethod = "rize"', r"`config` must have the field"),
    ],
)
def test_tables_of_toml_are_refused_by_place(tmp_path, text, message):
    (tmp_path / "sweep.toml").write_text(text)
    with pytest.raises((TypeError, ValueError), match=message):
        load_config(tmp_path / "sweep.toml")
