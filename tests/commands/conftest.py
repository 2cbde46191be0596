"""Commands as a user types them, in this process, without checks of shapes, on a tiny network and tiny clips."""

import json

import numpy as np
import pytest

import runs
from jaxsal.commands import cli


@pytest.fixture(autouse=True)
def one_device(monkeypatch, no_shape_checks):
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)


@pytest.fixture
def figures():
    """A test that asks for it draws its figures."""


@pytest.fixture(autouse=True)
def no_figures(request, monkeypatch):
    """Else their files are there, and nothing is drawn: to lay the words of one out takes longer than all its maps."""
    if "figures" not in request.fixturenames:
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, file, **options: file.write(b"a figure"))


@pytest.fixture
def tiny_networks(monkeypatch):
    """Commands that make a network make the tiny one."""
    for arch in ("resnet3d18", "pan"):
        monkeypatch.setitem(runs.NETWORKS, arch, runs.NETWORKS["tiny"])


@pytest.fixture(scope="package")
def run_folder(tmp_path_factory):
    """A run with the network of `runs`, whose weights are as they were drawn."""
    folder = tmp_path_factory.mktemp("run")
    runs.save_untrained(folder)
    return folder


@pytest.fixture
def seen(tmp_path):
    """A visible recording."""
    np.save(tmp_path / "seen.npy", runs.moving_bar(1, 5, False))
    return tmp_path / "seen.npy"


@pytest.fixture
def run(capsys):
    """Runs a command; what it printed."""

    def printed(*words):
        cli.main([str(word) for word in words])
        return capsys.readouterr().out

    return printed


@pytest.fixture
def dry_run(run, tmp_path):
    """Runs a command dry; its plan. Nothing is written."""

    def plan(*words):
        before = sorted(tmp_path.rglob("*"))
        plan = json.loads(run(*words, "--dry-run", "--json"))
        assert sorted(tmp_path.rglob("*")) == before
        return plan

    return plan


@pytest.fixture
def refused(capsys):
    """Runs a command that fails; its exit status and what it says on standard error."""

    def stopped(*words):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(word) for word in words])
        return stop.value.code, capsys.readouterr().err

    return stopped
