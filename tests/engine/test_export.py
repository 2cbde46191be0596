"""Every compiled program of the package lowers for accelerators, without one at hand."""

import json

import pytest

import processes

SCRIPT = """
import json, programs
programs.record()
import everything
everything.run()
with open({output!r}, "w") as file:
    json.dump(programs.lowered(), file)
"""
pytestmark = pytest.mark.process
ON_THE_HOST = {"jaxsal.models.initialise.init_variables"}  # draws by numpy, in a callback


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Of each program that a small run of everything makes: its name, what came of lowering it, and host calls."""
    output = tmp_path_factory.mktemp("programs") / "programs.json"
    processes.finish(processes.start(SCRIPT.format(output=str(output))))
    return json.loads(output.read_text())


def test_every_compiled_function_of_the_package_is_run(programs):
    assert len(programs) > 30
    assert not [name for name, error, _ in programs if error == "never run"]


def test_every_program_lowers_for_cuda_and_tpu(programs):
    assert not [(name, error) for name, error, _ in programs if error and name not in ON_THE_HOST]


def test_no_program_calls_the_host(programs):
    assert not [name for name, _, calls in programs if calls and name not in ON_THE_HOST]
