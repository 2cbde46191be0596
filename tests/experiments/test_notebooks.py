"""The notebooks: stored without outputs, and every cell runs, in order, on tiny networks and clips."""

import ast
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import runs

NOTEBOOKS = sorted((Path(__file__).parents[2] / "experiments" / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Networks that know nothing, one for each training spectrum, and a recording."""
    folder = tmp_path_factory.mktemp("notebooks")
    for spectra in ("IR", "TV", "IRTV"):
        runs.save_untrained(folder / spectra, dataclasses.replace(runs.SPEC, spectra=spectra))
    np.save(folder / "recording.npy", runs.moving_bar(1, 5, False))
    return folder


def toy_parameters(name, folder):
    """What stands in for a notebook's parameters."""
    shared = dict(RUN=str(folder / "IRTV"), RECORDING=str(folder / "recording.npy"), NUM_STEPS=3)
    return {
        "1_explain_a_clip": shared | dict(NUM_MASKS=8),
        "2_a_model_of_your_own": dict(NUM_FRAMES=4, SIZE=16, NUM_MASKS=400),
        "3_how_many_masks": shared | dict(LEDGER=str(folder / "ledger.npz"), NUM_MASKS=(4, 8)),
        "4_infrared_visible_both": dict(
            RUNS={spectra: str(folder / spectra) for spectra in ("IR", "TV", "IRTV")},
            CLIPS_PER_SPECTRUM=2,
            OPTIONS=dict(num_masks=8, grid_shape=(2, 2, 2), num_steps=3),
        ),
    }[name]


def run(path, parameters):
    """Runs the cells in order in one namespace, as a kernel does; results that a notebook would show are shown."""
    names = {"__name__": "__main__"}
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]), path.name)
        shown = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, path.name, "exec"), names)
        if shown is not None:
            value = eval(compile(shown, path.name, "eval"), names)
            names["_"] = value._repr_html_() if hasattr(value, "_repr_html_") else repr(value)
        if "parameters" in cell["metadata"].get("tags", ()):
            assert set(parameters) <= set(names)
            names |= parameters
    return names


def test_stored_without_outputs():
    for notebook in (json.loads(path.read_text()) for path in NOTEBOOKS):
        assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
        assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.docs
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, folder, monkeypatch, capsys):
    monkeypatch.setattr("jaxsal.datasets.catalog.synthetic_actions", lambda **_: runs.clip_set())
    names = run(path, toy_parameters(path.stem, folder))
    printed = capsys.readouterr().out
    assert names["_"].startswith("<iframe")
    if path.stem.startswith("1"):
        assert set(names["curves"]) == {"Grad-CAM", "RISE", "SIDU"}
    elif path.stem.startswith("2"):
        found = names["found"]
        assert min(float(found[method].space) for method in ("Grad-CAM", "RISE")) > 0.8
        assert float(abs(names["maps"]["SIDU"]).max()) == 0
    elif path.stem.startswith("3"):
        rows = {row[:2]: row[2] for row in names["rows"]}
        assert set(rows) == {(estimator, count) for estimator in ("mean", "centered") for count in (4, 8)}
        assert len(names["ledger"].ids) == 8
        drawn = {line.get_label(): line.get_xydata() for line in names["axis"].lines}
        for estimator in ("mean", "centered"):
            np.testing.assert_allclose(drawn[estimator], [(count, rows[estimator, count]) for count in (4, 8)])
    else:
        assert printed.count("| RISE |") == 6
        assert "trained on IRTV, tested on TV: " in printed
    if not path.stem.startswith("2"):
        assert names["_"].count("&quot;error&quot;:[") >= 2, "a band for every class"


@pytest.mark.docs
@pytest.mark.process
def test_a_real_kernel_runs_one(tmp_path):
    """As Jupyter does; where nbclient and ipykernel are installed, which the tests do not ask for."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: notebooks run without a kernel only")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: notebooks run without a kernel only")
    import nbformat

    (path,) = (path for path in NOTEBOOKS if path.stem.startswith("2"))
    notebook = nbformat.read(path, as_version=4)
    parameters = toy_parameters(path.stem, tmp_path)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert notebook.cells[-1].outputs[0].data["text/html"].startswith("<iframe")
