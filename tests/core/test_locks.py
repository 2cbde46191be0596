"""Folders that one run works in at a time."""

import os
import subprocess
import sys

import pytest

from jaxsal.core.locks import LOCK, FolderInUseError, hold_folder

HOLD = """
import sys, time
from jaxsal.core.locks import hold_folder
with hold_folder(sys.argv[1], "training"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_run_is_told_who_works_in_the_folder(tmp_path):
    with hold_folder(tmp_path / "run", "sweep"):
        with pytest.raises(FolderInUseError, match=rf"run is in use: sweep on .*, process {os.getpid()}, since 20"):
            hold(tmp_path / "run")
        hold(tmp_path / "other")
    hold(tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


def hold(folder, **options):
    with hold_folder(folder, "sweep", **options):
        pass


def test_parts_share_a_folder_and_keep_out_the_whole(tmp_path):
    with hold_folder(tmp_path, "sweep", part="shard 0/2"):
        hold(tmp_path, part="shard 1/2")
        with pytest.raises(FolderInUseError, match="sweep, shard 0/2, on "):
            hold(tmp_path, part="shard 0/2")
        with pytest.raises(FolderInUseError, match="sweep"):
            hold(tmp_path)
    with hold_folder(tmp_path, "sweep"), pytest.raises(FolderInUseError, match="sweep on"):
        hold(tmp_path, part="shard 0/2")
    hold(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_lock_ends_with_its_process(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(FolderInUseError, match=f"process {process.pid}"):
        hold(tmp_path)
    process.kill()
    process.communicate()
    assert (tmp_path / LOCK).exists()
    hold(tmp_path)


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def unsupported(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with pytest.warns(UserWarning, match="on a file system without locks: make sure that no other run uses it"):
        hold(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="`folder` must be a folder; got .*, which is in the file"):
        hold(tmp_path / "file" / "run")
