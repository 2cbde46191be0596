"""A network of both spectra through the commands: explain, evaluate, sweep and report."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

import runs
from jaxsal.commands import cli
from jaxsal.drawing.canvas import GAP, LINE
from pages import page_data

SMALL = ["--num-masks", "8", "--num-steps", "3", "--grid-shape", "2", "2", "2"]
ALONE = ["deletion_IR", "deletion_TV", "insertion_IR", "insertion_TV"]


@pytest.fixture(scope="module")
def fused_run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    runs.save_untrained(folder, dataclasses.replace(runs.SPEC, spectra="FUSED", fusion=request.param))
    return folder


@pytest.mark.parametrize("fused_run", ["streams"], indirect=True)
def test_explain_writes_two_files_of_one_scene(fused_run, seen, run, dry_run, refused, capsys, tmp_path):
    warm, output = tmp_path / "warm.npy", tmp_path / "out"
    np.save(warm, runs.moving_bar(1, 5, True)[..., 0])
    words = ["explain", seen, "--infrared", warm, "--checkpoint", fused_run, "--output", output, *SMALL]
    words += ["--method", "rise", "sidu", "--controls", "smooth"]
    assert dry_run(*words)["clips"] == 1
    printed = run(*words)
    assert f"{seen.stem}-FUSED: " in printed
    overlays = sorted(path.name for path in (output / "overlays").iterdir())
    assert [name.split("-as-")[0].rpartition("-")[2] for name in overlays] == ["IR", "IR", "TV", "TV"]
    assert (output / "curves-FUSED.png").is_file()
    rows = list(csv.DictReader((output / "results.csv").read_text().splitlines()))
    assert {row["spectrum"] for row in rows} == {"FUSED"}
    assert all(0 <= float(row[name]) <= 1 for row in rows for name in ALONE)
    (strip,) = (output / "overlays").glob("*-TV-as-*.png")
    with Image.open(strip) as picture:
        assert picture.height == 2 * LINE + 3 * (8 * 20 + GAP)  # the recording's frames are 20 high, the network's 16
    assert set(json.loads((output / "run.json").read_text())["recordings"]) == {"seen-IR", "seen-TV"}
    again = dry_run(*words)
    assert (again["clips_done"], again["passes"]) == (1, 0)
    page = tmp_path / "page.html"
    run("report", output, "--output", page)
    (scene,) = page_data(page.read_text())["scenes"]
    assert [panel["caption"] for panel in scene["panels"]] == ["IR", "TV"]
    assert [panel["recording"]["size"] for panel in scene["panels"]] == [[187, 224]] * 2
    assert scene["panels"][0]["labels"] == ["1", "2", "3", "4"]
    warm.unlink()
    cli.main(["report", str(output), "--output", str(page)])
    note = f"{warm} is no longer there: maps are drawn on the network's input."
    assert f"jaxsal: note: {note}" in capsys.readouterr().err
    (scene,) = page_data(page.read_text())["scenes"]
    assert [(panel["recording"] is None, panel["note"]) for panel in scene["panels"]] == [(True, note), (False, "")]
    status, said = refused("explain", seen, "--checkpoint", fused_run, "--output", tmp_path / "none")
    assert status == 1
    assert "`--infrared` must be given for a network of both spectra at once; got CLIP alone." in said


@pytest.mark.parametrize("fused_run", ["channels"], indirect=True)
def test_evaluate_and_sweep(fused_run, run, tmp_path):
    data, table = runs.save_recordings(tmp_path / "data"), tmp_path / "table"
    words = ["evaluate", "--checkpoint", fused_run, "--data", data, "--output", table, "--clips-per-spectrum", "2"]
    found = json.loads(run(*words, *SMALL, "--method", "gradcam", "shapley", "--controls", "smooth", "--json"))
    assert [clip["spectrum"] for clip in found["clips"]] == ["FUSED", "FUSED"]
    *scenes, mean = csv.DictReader((table / "shares.csv").read_text().splitlines())
    for row, clip in zip(scenes, found["clips"], strict=True):
        parts = [float(row[f"{part} mean"]) for part in ("infrared", "visible", "interaction")]
        assert sum(parts) == pytest.approx(float(row["total mean"]), abs=1e-5)
        assert list(clip["shares"].values())[:3] == pytest.approx(parts, abs=1e-5)
    assert mean["scene"] == "mean"
    assert len(list((table / "overlays").glob("*-shares.png"))) == 2
    run("report", table, "--output", table / "page.html")
    assert (table / "page.html").read_text().count('<figure class="share">') == 2
    config = tmp_path / "sweep.toml"
    config.write_text(
        f'store = "{tmp_path / "store"}"\ncheckpoints = ["{fused_run}"]\ncurve_steps = 3\ncontrols = ["random"]\n'
        f'[[clips]]\ndata = "{data}"\nper_spectrum = 2\n[[methods]]\nmethod = "rise"\n'
        "options = {num_masks = [4, 8], grid_shape = [[2, 2, 2]]}\n"
    )
    run("sweep", config)
    exported = tmp_path / "rows.csv"
    run("sweep", config, "--export", exported)
    rows = list(csv.DictReader(exported.read_text().splitlines()))
    assert {row["spectrum"] for row in rows} == {"FUSED"}
    assert len([row for row in rows if row["method"] == "rise"]) == 4
    assert all(row[name] for row in rows for name in ALONE)
