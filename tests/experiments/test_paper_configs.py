"""The study has a config for each of its networks, and its page a command for each of its tables."""

import importlib.util
from pathlib import Path

import pytest

from jaxsal.commands.paper import Paper
from jaxsal.paper.cells import study_tables
from jaxsal.paper.config import PRESETS

ROOT = Path(__file__).parents[2]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "experiments" / "paper" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_a_command_for_every_table():
    page = (ROOT / "docs" / "howto" / "study.md").read_text()
    for table in study_tables(PRESETS["small"], "default"):
        assert f"jaxsal paper --only {table.name} " in page


def test_there_are_six_networks_in_both_presets():
    configs = load("networks").CONFIGS
    for preset in PRESETS.values():
        assert sorted(configs) == sorted(network.name.lower() for network in preset.networks)
        for config in configs.values():
            assert config.__doc__
            assert preset.network(config.arch, config.spectra).spec(("a", "b")).num_frames >= 16


def test_an_unknown_preset_is_named(no_shape_checks):
    with pytest.raises(ValueError, match=r"`preset` must be one of \('small', 'full'\); got 'tiny'"):
        Paper(preset="tiny").run()
    with pytest.raises(ValueError, match=r"`preset` must be one of \('small', 'full'\); got 'tiny'"):
        load("networks").PanIR(preset="tiny").run()
