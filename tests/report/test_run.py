"""A report is of the command that wrote run.json alone, whatever earlier ones left in its folder."""

import json
import re

import numpy as np
import pytest

import runs
from jaxsal.commands import cli
from jaxsal.report.run import read_run, report_page
from pages import CLIP, cases, page_data, write_run


@pytest.fixture(autouse=True)
def one_device(monkeypatch, no_shape_checks):
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)


def test_the_page_of_a_run(found, tmp_path, capsys):
    folder = write_run(tmp_path / "my run", cases())

    cli.main(["report", str(folder)])

    page = (folder / "report.html").read_text()
    assert "report.html" in capsys.readouterr().out
    assert not re.search(r"https?://|<link[^>]+href=\"(?!data:)|\bsrc=|@import|url\(", page)
    assert "<wave>" not in page.replace("srcdoc", "")
    assert "jaxsal evaluate --seed 3" in page
    assert "<td>weights</td><td>c0ffee</td>" in page
    assert "<td>Grad-CAM</td><td>2</td>" in page
    scenes = page_data(page)["scenes"]
    assert [scene["name"] for scene in scenes] == ["first", "second"]
    panel = scenes[0]["panels"][0]
    (cam,) = [m for m in panel["maps"] if m["method"] == "Grad-CAM"]
    np.testing.assert_allclose(cam["profile"], np.mean(found[0].maps["Grad-CAM"], axis=(1, 2)), rtol=1e-4)
    assert panel["probabilities"][0][0] == panel["target"]


def explain(folder, clip, *options):
    """As typed: one clip, few steps, into the same folder."""
    words = ["explain", str(clip), "--checkpoint", str(folder / "network"), "--output", str(folder / "out"), *options]
    cli.main([*words, "--method", "gradcam", "--num-steps", "3"])


def test_commands_that_share_a_folder_are_not_pooled(tmp_path, capsys):
    """Two clips, then the second one with other options: a report of the last command each time."""
    runs.save_untrained(tmp_path / "network")
    for name, label in (("first", 0), ("second", 1)):
        np.save(tmp_path / f"{name}.npy", runs.moving_bar(label, 5, False))
        explain(tmp_path, tmp_path / f"{name}.npy")

    run = read_run(tmp_path / "out")
    assert [e.name for e in run.explanations] == ["second-TV"]
    assert run.note == "3 results of earlier commands in this folder are left out."  # Grad-CAM and two controls
    capsys.readouterr()
    cli.main(["report", str(tmp_path / "out")])
    assert run.note in capsys.readouterr().out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Clips measured: 1; scenes shown: 1." in page
    assert run.note in page
    assert [scene["name"] for scene in page_data(page)["scenes"]] == ["second"]

    explain(tmp_path, tmp_path / "second.npy", "--target", "down")
    (again,) = read_run(tmp_path / "out").explanations
    assert (again.name, again.target) == ("second-TV", 0)

    np.save(tmp_path / "second.npy", runs.moving_bar(0, 6, False))
    explain(tmp_path, tmp_path / "second.npy", "--target", "down")
    (another,) = read_run(tmp_path / "out").explanations
    assert np.abs(another.clip - again.clip).max() > 0.5


def test_a_result_that_a_later_command_replaced_is_refused(tmp_path):
    """A command that was killed before it wrote run.json has another clip under the name of one of two."""
    folder = write_run(tmp_path / "run", cases()[:2])
    said = (folder / "run.json").read_text()
    write_run(folder, [cases()[1]._replace(load=lambda: 1 - CLIP)])
    (folder / "run.json").write_text(said)
    with pytest.raises(ValueError, match="lacks a whole .* of first-TV: run the command that made it again"):
        read_run(folder)


def test_folders_without_a_whole_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`run` must be the folder of a run with run.json; got .*[^.]\.$"):
        read_run(tmp_path)
    folder = write_run(tmp_path / "run", cases()[:1])
    with pytest.raises(FileNotFoundError, match=rf"there is one in {tmp_path}/run"):
        read_run(tmp_path)
    with pytest.raises(ValueError, match="`num_scenes` must be at least 1; got 0"):
        report_page(read_run(folder), num_scenes=0)
    made_by = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(made_by | dict(results=[])))
    with pytest.raises(ValueError, match="`run` must hold explanations of clips; got none in"):
        read_run(folder)
    (folder / "run.json").write_text(json.dumps(made_by))
    for path in (folder / "results" / "parts").iterdir():
        path.write_bytes(b"no part")
    with pytest.raises(ValueError, match="lacks a whole clip of first-IR: run the command that made it again"):
        read_run(folder)
    del made_by["results"]
    (folder / "run.json").write_text(json.dumps(made_by))
    with pytest.raises(ValueError, match=r"`run` must have a whole run\.json; got .*: KeyError\('results'\)"):
        read_run(folder)
