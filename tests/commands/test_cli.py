"""Exit statuses, what is printed where, and the switches of every verb."""

import json

import pytest

from jaxsal.commands import cli
from jaxsal.commands.verb import Output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "demo, explain"),
        (["demonstrate"], "demo, explain"),
        (["explain"], "--checkpoint PATH"),
        (["explain", "clip.npy", "--checkpoint", "run", "--num-mask", "3"], "--num-masks INT"),
        (["explain", "clip.npy", "--checkpoint", "run", "--num-masks", "ten"], "'ten'"),
        (["explain", "clip.npy", "--checkpoint", "run", "--grid-shape", "2", "3"], "--grid-shape"),
        (["explain", "clip.npy", "--checkpoint", "run", "--method", "lime"], "('gradcam', 'rise', 'sidu')"),
        (["explain", "clip.npy", "--checkpoint", "run", "--estimator", "median"], "('mean', 'centered')"),
    ],
)
def test_an_invalid_command_line_ends_with_2_and_names_what_there_is(refused, monkeypatch, words, said):
    monkeypatch.setenv("COLUMNS", "200")
    status, errors = refused(*words)
    assert status == 2
    assert said in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(("verb", "resumes"), [("demo", True), ("report", False)])
def test_an_interrupted_run_ends_with_130(refused, monkeypatch, verb, resumes):
    def interrupt(command):
        raise KeyboardInterrupt

    monkeypatch.setattr(getattr(cli, verb.title()), "run", interrupt)
    status, errors = refused(verb, *(["x"] if verb == "report" else []))
    assert status == 130
    assert ("run the same command again to resume" in errors) == resumes


def test_a_reader_that_has_gone_ends_with_1_and_without_a_message(refused, monkeypatch):
    def broken(command):
        raise BrokenPipeError

    monkeypatch.setattr(cli.Demo, "run", broken)
    monkeypatch.setattr("os.dup2", lambda new, old: None)
    monkeypatch.setattr("sys.stdout.fileno", lambda: 1, raising=False)
    assert refused("demo") == (1, "")


def test_version_and_switches_before_the_verb(run, monkeypatch):
    assert run("explain", "--version").startswith("jaxsal 0.")
    monkeypatch.setattr(cli.Demo, "run", lambda verb: Output(verb.command, dict(command=verb.command)))
    assert json.loads(run("--json", "demo")) == {"command": "jaxsal --json demo"}


def test_json_has_null_for_a_number_that_is_not_finite():
    output = Output("", dict(wait=float("nan"), spans=((0.5, float("inf")), {"n": 3})))
    assert json.loads(output.json, parse_constant=pytest.fail) == dict(wait=None, spans=[[0.5, None], {"n": 3}])
