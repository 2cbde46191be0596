"""Every config of the study is complete: it names a table or a network, and reaches the run with it."""

import importlib.util
from pathlib import Path

import pytest

from jaxsal.commands.paper import Paper
from jaxsal.paper import run
from jaxsal.paper.cells import study_tables
from jaxsal.paper.config import PRESETS
from jaxsal.paper.report import Report

FOLDER = Path(__file__).parents[2] / "experiments" / "paper"
TABLES = [table.name for table in study_tables(PRESETS["small"], "default")]


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_a_config(table, monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setattr(
        run, "run_study", lambda *args, **options: asked.update(options) or [Report(tmp_path / "x", "found", {})]
    )
    module = load(table.replace("-", "_"))
    (config,) = [thing for thing in vars(module).values() if isinstance(thing, type) and Paper in thing.__bases__]

    output = config(output=tmp_path).run()

    assert asked["only"] == (table,)
    assert output.text == f"found\nReport and tables: {tmp_path / 'x'}"
    assert f"python experiments/paper/{module.__name__}.py" in module.__doc__


def test_there_are_six_networks_in_both_presets():
    configs = load("networks").CONFIGS
    for preset in PRESETS.values():
        assert sorted(configs) == sorted(network.name.lower() for network in preset.networks)
        for config in configs.values():
            assert config.__doc__
            assert preset.network(config.arch, config.spectra).spec(("a", "b")).num_frames >= 16


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match=r"`preset` must be one of \('small', 'full'\); got 'tiny'"):
        Paper(preset="tiny").run()
    with pytest.raises(ValueError, match=r"`preset` must be one of \('small', 'full'\); got 'tiny'"):
        load("networks").PanIR(preset="tiny").run()
