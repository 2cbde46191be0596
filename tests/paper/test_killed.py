"""A study that is killed at any moment and started again ends as one that was not."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import studies
from jaxsal.paper.run import run_study

TESTS = Path(__file__).parents[1]


def run_whole(folder):
    """Every value of every clip but the seconds, after the study was run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        studies.patch_run(patch.setattr)
        (report,) = run_study(studies.KILLED, folder, only=studies.KILLED_TABLES)
    rows = list(csv.DictReader((report.folder / "clips.csv").read_text().splitlines()))
    assert rows
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def start_and_kill(folder, pattern, count):
    """Starts the study in another process and ends it as soon as so many files are there."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS)))}
    process = subprocess.Popen([sys.executable, TESTS / "studies.py", folder], env=env, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and len(list(folder.rglob(pattern))) < count:
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was done before it was killed"


@pytest.mark.process
def test_a_killed_study_ends_as_one_that_was_not(tmp_path):
    """Killed amid the clips, then amid the report."""
    for pattern, count in (("parts/*.part", 3), ("tables/*.md", 1)):
        start_and_kill(tmp_path / "killed", pattern, count)
    assert run_whole(tmp_path / "killed") == run_whole(tmp_path / "straight")
