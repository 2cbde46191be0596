"""The benchmark of device counts, on a network of nothing."""

import dataclasses
import json

import scaling


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
