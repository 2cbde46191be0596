"""Exit statuses, what is printed where, and the switches of every verb."""

import json

import pytest

from jaxsal.commands import cli
from jaxsal.commands.verb import Output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "`jaxsal` must be followed by one of demo, explain, "),
        ("data", "`jaxsal data` must be followed by one of prepare, list, info, check, probe."),
        (
            "sweeps",
            "must be one of demo, explain, train, evaluate, rank, sweep, paper, report, data, convert, export, layers.",
        ),
        ("data prepar", "`prepar` must be one of prepare, list, info, check, probe. Did you mean 'prepare'?"),
        ("help", "Did you mean '--help'?"),
        ("version", "Did you mean '--version'?"),
        ("explian c.npy", "Did you mean 'explain'?"),
        ("data prepare", "`NAME` must be given; see jaxsal data --help."),
        ("explain --checkpoint run", "`CLIP` must be given before the options; see jaxsal explain --help."),
        ("explain", "`CLIP` must be given; see jaxsal explain --help."),
        ("train --recipe icpr2022", "`--output` must be given; see jaxsal train --help."),
        ("explain --chekpoint run", "`--chekpoint` must be an option of jaxsal explain. Did you mean '--checkpoint'?"),
        ("explain c.npy --chekpoint run", "`--chekpoint` must be an option of jaxsal explain. Did you mean"),
        (
            "explain c.npy --checkpoint run --num-mask 3",
            "`--num-mask` must be an option of jaxsal explain. Did you mean",
        ),
        ("explain c.npy --checkpoint run more", "'more' is a word too many after `--checkpoint`; see jaxsal"),
        ("explain c.npy more --checkpoint run", "'more' is a word too many; see jaxsal explain --help."),
        ("demo --dry-run=maybe", "'maybe' is a word too many after `--dry-run`; see jaxsal demo --help."),
        (
            "explain c.npy --checkpoint run --num-masks ten",
            "`--num-masks` must be a whole number, or settled; got 'ten'.",
        ),
        (
            "explain c.npy --checkpoint run --num-masks=ten",
            "`--num-masks` must be a whole number, or settled; got 'ten'.",
        ),
        ("explain c.npy --checkpoint run --num-masks", "`--num-masks` must have a value; got none."),
        (
            "explain c.npy --checkpoint run --value-range 1 b",
            "`--value-range` must be two numbers, or auto; got '1' 'b'.",
        ),
        ("explain c.npy --checkpoint run --grid-shape 2 3", "`--grid-shape` must have 3 values; got fewer."),
        ("explain c.npy --checkpoint run --method lime", "must be one of ('gradcam', 'rise', 'sidu', 'ridge', "),
        ("explain c.npy --checkpoint run --estimator meen", "'centered', 'ridge'); got 'meen'. Did you mean 'mean'?"),
    ],
)
def test_an_invalid_command_line_ends_with_2_and_one_line_that_says_what_is_wrong(refused, words, said):
    status, errors = refused(*words.split())
    assert status == 2
    assert said in errors
    assert errors.startswith("jaxsal: ")
    assert errors.count("\n") == 1


def test_an_error_that_is_not_known_is_told_in_the_words_of_tyro(refused, monkeypatch):
    monkeypatch.setattr("jaxsal.commands.parsing.refusal", lambda *known: None)
    status, errors = refused("train")
    assert status == 2
    assert "--output PATH" in errors


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
