"""Configs of sweeps: as files, and what is wrong with them."""

import dataclasses
from pathlib import Path

import pytest

import sweeps
from jaxsal.evaluation.config import ClipChoice, MethodGrid, load_config

pytestmark = pytest.mark.usefixtures("no_shape_checks")
SWEEPS = Path(__file__).parents[2] / "experiments" / "sweeps"
TOML = """
store = "runs/sweep"
checkpoints = ["runs/demo"]
curve_steps = 9
curve_baselines = ["time_mean", "reverse"]
keep_maps = true
[[clips]]
data = "recordings"
per_spectrum = 2
[[methods]]
method = "rise"
options = {grid_shape = [[2, 3, 3], [4, 3, 3]], keep_prob = [0.5]}
target = ["predicted", 1]
"""


def load(folder, text, name="sweep.toml"):
    path = folder / name
    path.write_text(text)
    return load_config(path)


def test_a_file_is_read_as_its_fields_say(tmp_path):
    config = load(tmp_path, TOML)
    assert config.clips == (ClipChoice("recordings", per_spectrum=2),)
    assert config.keep_maps
    assert config.curve_baselines == ("time_mean", "reverse")
    assert config.methods[0].target == ("predicted", 1)
    assert list(config.methods[0].combinations()) == [
        dict(grid_shape=(2, 3, 3), keep_prob=0.5),
        dict(grid_shape=(4, 3, 3), keep_prob=0.5),
    ]
    source = f"from jaxsal.evaluation.config import *\nCONFIG = {config!r}\n"
    assert load(tmp_path, source, "sweep.py") == config


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.toml")), ids=lambda path: path.name)
def test_configs_of_the_repository_are_read(path):
    assert load_config(path).store.startswith("runs/")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (TOML.replace("curve_steps", "curve_step"), TypeError, "`config` must have fields out of .*; got 'curve_step'"),
        (TOML.replace("= 9", '= "9"'), TypeError, "`config.curve_steps` must be an integer; got '9'"),
        (TOML.replace("= 9", "= true"), TypeError, "`config.curve_steps` must be an integer; got True"),
        (TOML.replace('["runs/demo"]', '"runs/demo"'), TypeError, "`config.checkpoints` must be a list; got 'runs/de"),
        (TOML.replace('store = "runs/sweep"', ""), TypeError, "`config` must have the field 'store'; got "),
        (TOML.replace("[[clips]]", "[["), ValueError, "`config` must be TOML; got "),
        (TOML.replace('"rise"', '"raise"'), ValueError, "`method` must be one of .*; got 'raise'. Did you mean 'rise'"),
        (TOML.replace("[0.5]", "0.5"), ValueError, "`options.keep_prob` must be a list of values to try; got 0.5"),
        (TOML.replace("[0.5]", "[2]"), ValueError, r"`keep_prob` must be in \(0, 1\]; got 2"),
        (TOML.replace("curve_steps = 9", 'curve_steps = 9\nscores = "odds"'), ValueError, "`scores` must be .*'odds'"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, text, error, message):
    with pytest.raises(error, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(methods=()), "`methods` must list at least one; got none"),
        (dict(spectra=("UV",)), "`spectra` must be one of .*; got 'UV'"),
        (dict(curve_steps=1), "`curve_steps` must be 0 or at least 2; got 1"),
        (dict(curve_steps=2, curve_baselines=("grey",)), "`curve_baselines` must be one of .*; got 'grey'"),
        (dict(curve_baselines=("mean",)), "`curve_steps` must be at least 2 with `curve_baselines`; got 0"),
        (dict(seed=-1), "`seed` must be from 0 to 4294967295; got -1"),
        (dict(chunk_size=0), "`chunk_size` must be at least 1; got 0"),
        (dict(masks_per_commit=0), "`masks_per_commit` must be at least 1; got 0"),
    ],
)
def test_values_that_no_sweep_takes(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(sweeps.config(tmp_path), **change)


def test_frames_per_mask_are_of_rise_alone():
    with pytest.raises(ValueError, match=r"`frames_per_mask` must be left out for sidu; got \(2,\)"):
        MethodGrid("sidu", frames_per_mask=(2,))
