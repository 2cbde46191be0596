"""Options that cannot mean anything: one line that names the option as it was typed, before anything is computed.

Each option of each verb gets words of every wrong kind; JAXSAL_CALLS sets how many command lines are tried.
"""

import os
import random

import pytest

import runs
from bad_words import LARGE, lines_of
from jaxsal.commands import cli, data, probe
from jaxsal.training.torch_file import write_for_torch

NUM_LINES = int(os.environ.get("JAXSAL_CALLS", "40"))
VERBS = {
    "demo": (cli.Demo, {"--dry-run": "yes"}),
    "explain": (cli.Explain, {"CLIP": "seen.npy", "--checkpoint": "run", "--dry-run": "yes"}),
    "train": (cli.Train, {"--output": "new", "--data": "data", "--dry-run": "yes"}),
    "evaluate": (cli.Evaluate, {"--checkpoint": "run", "--data": "data", "--dry-run": "yes"}),
    "rank": (cli.Rank, {"--checkpoint": "run", "--data": "data", "--dry-run": "yes"}),
    "sweep": (cli.Sweep, {"CONFIG": "sweep.toml", "--dry-run": "yes"}),
    "paper": (cli.Paper, {"--dry-run": "yes"}),
    "report": (cli.Report, {"FOLDER": "explained"}),
    "convert": (cli.Convert, {"SOURCE": "weights.safetensors", "OUTPUT": "converted"}),
    "export": (cli.Export, {"CHECKPOINT": "run", "--output": "exported"}),
    "layers": (cli.Layers, {"CHECKPOINT": "run"}),
    "data prepare": (data.Prepare, {"NAME": "paired_actions", "--manual-dir": "data"}),
    "data list": (data.List, {}),
    "data info": (data.Info, {"NAME": "paired_actions"}),
    "data check": (data.Check, {"FOLDER": "data"}),
    "data probe": (probe.Probe, {"DATA": "data"}),
}
"""By verb, its class and options that are right."""
ALLOWED = dict(num_workers=("0",), weight_decay=("0",), channels=("3",), std=("2 2 2",), tolerance=("0", "inf"))
OF_VERB = {"explain": dict(window=("99",), hop=("99",), stream=(LARGE,))}  # as long as the recording; of an array
LINES = [
    line for name, (verb, base) in VERBS.items() for line in lines_of(verb, base, name, ALLOWED | OF_VERB.get(name, {}))
]


@pytest.fixture
def folder(tmp_path, monkeypatch, run_folder, seen):
    """A folder with all that the right options name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(run_folder)
    runs.save_recordings(tmp_path / "data")
    (tmp_path / "sweep.toml").write_text('store = "store"\ncheckpoints = ["run"]\nmethods = [{method = "rise"}]\n')
    write_for_torch(runs.of_zeros(runs.RESNET), tmp_path / "weights.safetensors")


def fault(line, capsys):
    """What is wrong with what came of a command line; None where it was refused in the words that a user knows."""
    try:
        cli.main([*line.words[0].split(), *line.words[1:]])
    except SystemExit as end:
        said = capsys.readouterr().err
        last = said.strip().rpartition("\n")[2]
        if end.code not in (1, 2) or not last.startswith("jaxsal: ") or "--debug shows" in last:
            return f"{line}: status {end.code}, {said[-200:]}"
        return None if f"`{line.option}" in last else f"{line}: unclear: {last[:250]}"
    except BaseException as error:
        return f"{line}: {error!r}"
    return f"{line}: accepted: {capsys.readouterr().out[:60]!r}"


@pytest.mark.usefixtures("folder", "no_shape_checks")
def test_options_are_refused_as_they_were_typed(capsys):
    assert len(LINES) > 750
    wrong = [fault(line, capsys) for line in random.Random(0).sample(LINES, min(NUM_LINES, len(LINES)))]
    assert not any(wrong), "\n".join(filter(None, wrong))
