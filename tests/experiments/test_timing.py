import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from peer import Peer, resident_peak_mb
from timing import compare, table, times_in_turns, write_json


def test_variants_take_turns_and_the_warm_up_is_not_timed():
    turns = []

    seconds = times_in_turns({name: lambda name=name: turns.append(name) for name in "ab"}, rounds=3, warm_up=2)

    assert turns == ["a", "b"] * 5
    assert {name: len(values) for name, values in seconds.items()} == {"a": 3, "b": 3}


def test_another_clock_may_count():
    ticks = iter(range(100))
    seconds = times_in_turns({"a": lambda: next(ticks)}, rounds=2, warm_up=0, clock=lambda: next(ticks))
    assert seconds["a"].tolist() == [2, 2]


def test_speed_is_compared_round_by_round():
    """In most rounds "ours" takes half the time or less; the medians alone say that it takes as long."""
    seconds = {"ours": np.asarray([1.0, 4.0, 5.0]), "theirs": np.asarray([3.0, 4.0, 10.0])}

    ours, theirs = compare(seconds, against="theirs", work=8, unit="clips")

    assert ours["speed"] == 2
    assert ours["speed_range"] == [1, 3]
    assert ours["seconds"] == 4
    assert ours["clips_per_second"] == 2
    assert theirs["speed"] == 1
    assert table([ours, theirs]).splitlines()[2] == "| ours | 4 (1 to 5) | 2 | 2 (1 to 3) |"


def test_json_holds_the_result_the_machine_and_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench.py", "--rounds", "9"])
    write_json(tmp_path / "new" / "result.json", {"rows": [1], "config": {"output": tmp_path}})

    result = json.loads((tmp_path / "new" / "result.json").read_text())
    assert result["rows"] == [1]
    assert result["config"] == {"output": str(tmp_path)}
    assert result["machine"]["cores"] >= 1
    assert result["command"] == "bench.py --rounds 9"
    assert result["revision"] is None or len(result["revision"].removesuffix("+dirty")) == 40


@pytest.mark.parametrize(("figure", "error"), [(float("inf"), ValueError), (np.float32(1), TypeError)])
def test_json_holds_no_other_figures(figure, error, tmp_path):
    with pytest.raises(error, match=r"JSON|got float32"):
        write_json(tmp_path / "result.json", {"rows": [figure]})


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_the_peak_is_that_of_a_process_itself():
    """Not that of the process which started it, however large that is."""
    here = np.ones(600 * 2**17)  # 600 MB
    script = "from peer import resident_peak_mb; import array; a = array.array('d', [1]) * (100 * 2**17)"
    command = [sys.executable, "-c", f"{script}; print(resident_peak_mb())"]
    path = next(path for path in sys.path if path.endswith("bench"))
    printed = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=True).stdout
    assert 100 < float(printed) < here.nbytes / 2**20 - 200
    assert resident_peak_mb() > here.nbytes / 2**20


@pytest.fixture
def peer(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\n"
        f"sys.path.insert(0, {str(next(p for p in sys.path if p.endswith('bench')))!r})\n"
        "from peer import serve\n"
        "def double(x):\n    print('said on the way')\n    return 2 * x\n"
        "serve({'double': double, 'fail': lambda: 1 / 0, 'end': lambda: os._exit(3)})\n"
    )
    with Peer(sys.executable, script) as peer:
        yield peer


def test_a_peer_answers_and_says_what_failed(peer):
    assert peer.ask("double", x=21) == 42
    with pytest.raises(RuntimeError, match="`fail` failed: ZeroDivisionError"):
        peer.ask("fail")
    assert peer.ask("double", x=[1]) == [1, 1]
    with pytest.raises(RuntimeError, match="ended in `end` with code 3"):
        peer.ask("end")
