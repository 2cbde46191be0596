"""The benchmark of device counts, on a network of nothing."""

import dataclasses
import io
import json

import pytest
import scaling


@pytest.mark.nightly
def test_a_row_for_every_number_of_devices(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    config = scaling.Config(quick=True, rounds=1, output=tmp_path / "scaling.json")
    scaling.main(config)
    printed = capsys.readouterr().out
    assert printed.startswith("| variant | s, median (range) | masks/s | speed over 1 devices |")
    assert "not a speed-up" in printed
    found = json.loads(config.output.read_text())
    assert [row["variant"] for row in found["rows"]] == ["1 devices", "2 devices"]
    assert found["config"] == json.loads(json.dumps(dataclasses.asdict(scaling.quickly(config)), default=str))


class Answers:
    """A process that gives one line."""

    def __init__(self, line):
        self.stdin, self.stdout = io.StringIO(), io.StringIO(line)

    def wait(self):
        return 3

    def kill(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ('{"devices": 1, "platform": "cuda"}', ValueError, "`counts` must be at most the devices there are; got 2"),
        ("", RuntimeError, "ended with code 3 before it answered"),
    ],
)
def test_what_cannot_be_timed_is_said(line, error, message, tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "start", lambda config, count: Answers(line))
    with pytest.raises(error, match=message):
        scaling.main(scaling.Config(counts=(2,), output=tmp_path / "scaling.json"))
