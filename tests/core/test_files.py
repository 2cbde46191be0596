"""Files that are whole or as they were, whoever else writes, and whatever kills the writer."""

import os
import subprocess
import sys
import threading
import time

import pytest

from jaxsal.core.files import csv_text, remove_leftovers, write_atomically, write_folder_atomically, write_text

KILLED = """
import os, sys
from jaxsal.core.files import write_atomically
with write_atomically(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), 9)
"""


def test_a_file_is_whole_or_as_it_was(tmp_path):
    """What fails while it is written leaves the file of before, and nothing beside it."""
    path = tmp_path / "new" / "a.bin"
    with write_atomically(path) as file:
        file.write(b"first")
        assert not path.exists()
    with pytest.raises(OSError, match="full"):
        fail_amid(path, OSError("full"))
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def fail_amid(path, error):
    with write_atomically(path) as file:
        file.write(b"second")
        raise error


def test_an_error_names_the_file_that_the_user_knows(tmp_path):
    with pytest.raises(OSError, match=r"No space left on device: '.*/a\.bin'"):
        fail_amid(tmp_path / "a.bin", OSError(28, "No space left on device"))
    (tmp_path / "b.bin").mkdir()
    with pytest.raises(IsADirectoryError, match=r"Is a directory: '[^']*/b\.bin'$"):
        write_text(tmp_path / "b.bin", "text")


def test_writers_of_one_process_do_not_mix_their_files(tmp_path):
    path, wrong = tmp_path / "a.bin", []

    def write(number):
        for _ in range(20):
            write_text(path, f"{number}" * 50_000)
            text = path.read_text()
            wrong.extend([text] if len(text) != 50_000 or len(set(text)) != 1 else [])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert list(tmp_path.iterdir()) == [path]


def make_old(folder):
    for path in folder.rglob(".*"):
        os.utime(path, (time.time() - 100,) * 2)


def test_leftovers_of_killed_writers_go_and_those_of_live_ones_stay(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "overlays" / "a.gif"], check=False)
    assert killed.returncode == -9
    remove_leftovers(tmp_path)
    assert len(list(tmp_path.rglob(".a.gif.*"))) == 1  # younger than a minute
    with write_atomically(tmp_path / "live"), write_folder_atomically(tmp_path / "folder") as folder:
        (folder / "inside").write_text("")
        make_old(tmp_path)
        remove_leftovers(tmp_path)
        assert not list(tmp_path.rglob(".a.gif.*"))
    assert (tmp_path / "live").exists()
    assert (tmp_path / "folder" / "inside").exists()


def test_a_folder_takes_the_place_of_the_one_before(tmp_path):
    for name in ("first", "second"):
        with write_folder_atomically(tmp_path / "out") as folder:
            (folder / name).write_text("")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["out", "out/second"]


def test_no_cell_begins_as_a_formula_does():
    """A name that a spreadsheet would compute is marked as a text; formatted numbers stay."""
    assert csv_text([("=cmd|'/C calc'!A0", "@a", "+b", "-c", "-0.5", -1.5, None, "a=b")]) == (
        "'=cmd|'/C calc'!A0,'@a,'+b,'-c,-0.5,-1.5,,a=b\n"
    )
