"""The tutorials: stored without outputs, and every cell runs, in order, on tiny networks and clips."""

import ast
import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import runs
from conftest import shape_checks_off

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
SAMPLE = FOLDER.parents[1] / "data" / "samples" / "sports2d_walk_320.mp4"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
OFTEN = ("own_model", "outside_model", "two_recordings", "sweep_tables", "which_spectrum", "judge_a_map")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """Networks that know nothing, one of them for PyTorch, and a recording."""
    folder = tmp_path_factory.mktemp("tutorials")
    with shape_checks_off():
        runs.save_untrained(folder / "run")
        runs.save_untrained(folder / "resnet3d18", runs.RESNET)
    np.save(folder / "recording.npy", runs.moving_bar(1, 5, False))
    return folder


def toy_parameters(name, folder):
    """Small numbers and files in the place of a tutorial's parameters."""
    run, recording = dict(RUN=str(folder / "run")), dict(RECORDING=str(folder / "recording.npy"))
    return {
        "pytorch_checkpoint": dict(RUN=str(folder / "resnet3d18")) | recording | dict(NUM_MASKS=4, NUM_STEPS=3),
        "infrared_recording": run | dict(NUM_MASKS=4, NUM_STEPS=3),
        "two_recordings": run | dict(NUM_MASKS=4, NUM_STEPS=3),
        "infrared_and_visible": run | dict(NUM_SCENES=2, OPTIONS=dict(num_masks=4, num_steps=3)),
        "ledger_five_ways": run | recording | dict(NUM_MASKS=(4, 8)),
        "sweep_tables": run | dict(PER_SPECTRUM=1, NUM_MASKS=(2, 4), STEPS=3),
        "own_model": dict(NUM_FRAMES=4, SIZE=16, NUM_MASKS=16),
        "outside_model": dict(SIZE=8, NUM_MASKS=8, NUM_STEPS=3),
        "trained_i3d": recording | dict(TRAINED=False, NUM_MASKS=4, NUM_STEPS=3),
        "videomae_from_the_hub": dict(RECORDING=str(SAMPLE), NUM_MASKS=4, NUM_STEPS=3),
        "fused_network": dict(NUM_STEPS=2, SIZE=20, CROP=16, NUM_FRAMES=4, NUM_MASKS=4, CURVE_STEPS=3)
        | dict(ARCH="tiny", WIDTH=2),
        "which_spectrum": dict(START=str(folder / "run"), NUM_SCENES=2, NUM_MASKS=40, NUM_STEPS=3),
        "when_to_stop": run | dict(CELLS=1, MOST=300),
        "real_differences": run | dict(NUM_CLIPS=2, NUM_MASKS=4, NUM_STEPS=3),
        "judge_a_map": run | dict(NUM_CLIPS=2, NUM_MASKS=4, NUM_STEPS=3),
    }[name]


def run_cells(path, parameters):
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
            names["_"] = getattr(value, "_repr_html_", lambda: None)() or repr(value)
        if "parameters" in cell["metadata"].get("tags", ()):
            assert set(parameters) <= set(names)
            names |= parameters
    return names


def often_or_nightly(path):
    """A notebook that every check runs, or one that the nightly check runs."""
    return path if path.stem in OFTEN else pytest.param(path, marks=pytest.mark.nightly)


def test_stored_without_outputs():
    assert len(NOTEBOOKS) == 15
    for notebook in (json.loads(path.read_text()) for path in NOTEBOOKS):
        assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
        assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_it_imports_is_there(path):
    """Of those that run nightly, too."""
    cells = json.loads(path.read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    wanted = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    for module, name in ((node.module, alias.name) for node in wanted for alias in node.names):
        assert hasattr(import_module(module), name) or find_spec(f"{module}.{name}"), f"{module}.{name}"


def test_each_is_on_the_page_that_lists_them():
    listed = (FOLDER / "index.md").read_text().splitlines()
    assert [path.stem for path in NOTEBOOKS if path.stem not in listed] == []


@pytest.mark.docs
@pytest.mark.filterwarnings("ignore::scipy.stats.ConstantInputWarning")  # maps of a network that knows nothing
@pytest.mark.parametrize("path", [often_or_nightly(path) for path in NOTEBOOKS], ids=lambda path: path.stem)
def test_every_cell_runs(path, run_folder, monkeypatch, tmp_path, no_shape_checks):
    monkeypatch.setattr("jaxsal.datasets.catalog.synthetic_actions", lambda **_: runs.clip_set())
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)
    monkeypatch.chdir(tmp_path)
    names = run_cells(path, toy_parameters(path.stem, run_folder))
    if path.stem == "sweep_tables":
        assert set(names["table"]["method"]) == {"rise", "gradcam"}
        assert names["wide"].shape == (2, 2)
        return
    assert ("<iframe" in names["_"]) == (path.stem not in ("infrared_recording", "when_to_stop"))
    if path.stem == "ledger_five_ways":
        assert (len(names["ledger"].ids), len(names["larger"].ids)) == (8, 58)
        assert [row[:2] for row in names["rows"]] == [(e, n) for e in ("mean", "centered") for n in (4, 8)]
    elif path.stem == "infrared_recording":
        assert names["raw"].dtype == np.uint16
        assert 0 <= names["clip"].min() < 0.2 < 0.8 < names["clip"].max() <= 1
    elif path.stem == "two_recordings":
        visible, thermal = (names["footage"].excerpts[spectrum] for spectrum in ("TV", "IR"))
        apart = np.array(visible.times) - thermal.times
        np.testing.assert_allclose(apart, names["OFFSET"], atol=1e-3)  # the frames of the same moments
        assert thermal.reading.value_range == names["COUNTS"]
        assert {ground.name for ground in names["grounds"].values()} == {"recording"}
    elif path.stem == "own_model":
        assert float(abs(names["answer"].maps["SIDU"]).max()) == 0
        assert float(names["localize"](names["answer"].maps["RISE"], names["corner"]).space) > 0.7
    elif path.stem == "which_spectrum":
        assert names["shares"].exact
        assert not names["finer"].exact
    elif path.stem == "judge_a_map":
        assert {"random", "constant"} <= set(names["found"][0].curves)
