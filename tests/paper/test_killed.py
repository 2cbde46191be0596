"""A study that is killed at any moment and started again ends as one that was not."""

import csv
import multiprocessing
import signal
import time

import pytest

import studies
from jaxsal.paper.run import run_study


def run_whole(folder):
    """Every value of every clip but the seconds, after the study was run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        studies.patch_run(patch.setattr)
        (report,) = run_study(studies.KILLED, folder, only=studies.KILLED_TABLES)
    rows = list(csv.DictReader((report.folder / "clips.csv").read_text().splitlines()))
    assert rows
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def start_and_kill(processes, folder, pattern, count):
    """Starts the study in another process and ends it as soon as so many files are there."""
    process = processes.Process(target=studies.run_to_be_killed, args=(folder,))
    process.start()
    while process.is_alive() and len(list(folder.rglob(pattern))) < count:
        time.sleep(0.002)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it was done before it was killed"


@pytest.mark.process
def test_a_killed_study_ends_as_one_that_was_not(tmp_path):
    """Killed amid the clips, then amid the report."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["jaxsal.paper.run", "jaxsal.training.checkpoint"])
    for pattern, count in (("parts/*.part", 3), ("tables/*.md", 1)):
        start_and_kill(processes, tmp_path / "killed", pattern, count)
    assert run_whole(tmp_path / "killed") == run_whole(tmp_path / "straight")
