"""Files of strangers: refused by name with little memory, in little time, without reading another file."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="needs limits of memory as Linux has them")
def test_files_that_ask_for_much_are_refused_by_name(tmp_path):
    script = Path(__file__).with_name("hostile.py")
    found = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=False)
    *wrong, last = found.stdout.splitlines() or [""]
    assert not wrong, "\n".join(wrong)
    assert last.endswith(" read"), found.stderr
