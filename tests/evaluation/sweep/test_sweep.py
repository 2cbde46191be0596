import dataclasses
import json

import jax
import numpy as np
import pytest

import sweeps
from jaxsal import rise_ledger
from jaxsal.commands import cli
from jaxsal.evaluation.sweep import first_pass, work
from jaxsal.evaluation.sweep.config import MethodGrid
from jaxsal.evaluation.sweep.export import export_results, status
from jaxsal.evaluation.sweep.run import share_out
from jaxsal.evaluation.sweep.store import Store
from jaxsal.sweep import open_results

pytestmark = pytest.mark.usefixtures("no_shape_checks")
CURVES = dict(methods=(sweeps.RISE, MethodGrid("gradcam", target=("label", 1)), MethodGrid("sidu")), curve_steps=3)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    sweeps.make_recordings(folder)
    return folder


@pytest.fixture(scope="module")
def done(inputs):
    """A finished sweep of RISE."""
    from jaxtyping import config as checks

    checks.update("jaxtyping_disable", True)
    config = sweeps.config(inputs, "done.zarr")
    sweeps.run(config)
    checks.update("jaxtyping_disable", False)
    return config


def ledger_of(config, case, grid_shape, num_masks=29):
    group = sweeps.toy_groups(config)[0]
    key = jax.random.key(config.seed)
    classifier = group.network.classifier
    return rise_ledger(key, classifier, case.load(), num_masks=num_masks, grid_shape=grid_shape)


def test_ledgers_and_maps_are_those_of_rise(done):
    group, store = sweeps.toy_groups(done)[0], Store(done.store)
    assert len(group.cells) == 8
    assert len(group.ledgers) == 2
    for cell in group.cells:
        for row, case in enumerate(group.cases):
            expected = ledger_of(done, case, cell.options.grid_shape)
            found = store.read(f"{cell.ledger.path}/logits", row)
            np.testing.assert_allclose(found, expected.logits, rtol=1e-5, atol=1e-5)
            saliency = expected.map(num_masks=cell.options.num_masks, estimator=cell.options.estimator)
            np.testing.assert_allclose(store.read(f"{cell.path}/saliency", row), saliency, rtol=1e-4, atol=1e-5)


def test_a_second_run_has_nothing_to_do(done, capsys):
    plan = sweeps.run(done)
    assert (plan.results, plan.results_held, plan.masks, plan.masks_held, plan.passes) == (24, 24, 174, 174, 0)
    assert "0 forward passes to do" in capsys.readouterr().err


def test_more_masks_score_only_those_that_are_missing(inputs, done, tmp_path, monkeypatch):
    config = sweeps.config(inputs, methods=(MethodGrid("rise", options={"num_masks": [11]}),))
    config = dataclasses.replace(config, store=str(tmp_path / "store"))
    sweeps.run(config)
    scored, run = [], work.Scorer.__call__

    def spy(self, score_fn, clip, family, ids, baseline, progress=None):
        scored.extend(ids.tolist())
        return run(self, score_fn, clip, family, ids, baseline, progress)

    monkeypatch.setattr(work.Scorer, "__call__", spy)
    grid = MethodGrid(
        "rise", options={"num_masks": [11, 20], "estimator": ["mean", "centered"], "scores": ["logits"]}, target=(0, 1)
    )
    plan = sweeps.run(dataclasses.replace(config, methods=(grid,)))
    assert plan.cells == 8
    assert plan.ledgers == 1
    assert scored == 3 * list(range(11, 20))


def test_grids_probabilities_and_slices_compile_one_scoring_program(inputs, tmp_path, capsys):
    grid = MethodGrid(
        "rise",
        options={"num_masks": [13], "keep_prob": [0.2, 0.6], "grid_shape": [[2, 3, 3], [4, 2, 5]]},
        frames_per_mask=(1, 2),
    )
    config = sweeps.config(inputs, methods=(grid,), chunk_size=3)
    sweeps.run(dataclasses.replace(config, store=str(tmp_path / "store")))
    assert ": 1 programs that score masks" in capsys.readouterr().err.splitlines()[-1]


def test_every_method_and_curves(inputs, tmp_path, capsys):
    config = sweeps.config(inputs, **CURVES)
    config = dataclasses.replace(config, store=str(tmp_path / "store"))
    plan = sweeps.run(config)
    assert plan.cells == 11
    said = capsys.readouterr().err
    assert f"{plan.passes:,} of {plan.passes:,} forward passes" in said.splitlines()[-1]
    assert export_results(config, tmp_path / "a.csv") == export_results(config, tmp_path / "a.parquet") == 33
    import csv

    import pyarrow.parquet

    with open(tmp_path / "a.csv") as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == {"rise", "gradcam", "sidu"}
    assert all(0 <= float(row["deletion"]) <= 1 for row in rows)
    options = next(json.loads(row["options"]) for row in rows if row["method"] == "rise")
    assert options.keys() >= {"num_masks", "keep_prob", "baseline", "frames_per_mask"}  # those by default too
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").num_rows == 33
    assert status(config, sweeps.toy_groups(config)).text.count("3 of 3 clips") == 11


def test_notebooks_open_it(done):
    pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    found, store = open_results(done.store), Store(done.store)
    assert len(found.rows) == 24
    row = found.rows[5]
    ledger, cell = found.dataset(row["ledger"]), found.dataset(row["cell"])
    assert ledger.logits.dims == ("clip", "mask", "class")
    assert ledger.logits.shape == (3, 29, 2)
    assert list(ledger.coords["class"].values) == ["down", "up"]
    np.testing.assert_array_equal(ledger.logits.values, store.read(f"ledgers/{row['ledger']}/logits"))
    probability = cell.results.sel(clip=row["clip"], field="probability")
    assert float(probability) == row["probability"]
    assert cell.saliency.sel(clip=row["clip"]).dims == ("time", "row", "column")
    with pytest.raises(ValueError, match="`name` must be a cell or a ledger of .*; got 'none'"):
        found.dataset("none")


def test_a_clip_that_cannot_be_read_is_recorded_and_passed_over(tmp_path, capsys):
    sweeps.make_recordings(tmp_path)
    broken = tmp_path / "data" / "IR" / "r2.npy"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    config = sweeps.config(tmp_path)
    sweeps.run(config)
    assert "clip r2:0-end:IR is passed over: `path` must be a readable array" in capsys.readouterr().err
    text = status(config, sweeps.toy_groups(config)).text
    assert "not used: r2:0-end:IR: `path` must be" in text
    assert text.count("2 of 3 clips") == 8
    broken.write_bytes(whole)
    sweeps.run(config)
    assert "not used" not in status(config, sweeps.toy_groups(config)).text


def test_another_clip_under_the_same_name(tmp_path, capsys):
    """Whichever cell saw the clip first, one without a ledger too; the other clips go on."""
    sweeps.make_recordings(tmp_path)
    config = sweeps.config(tmp_path, methods=(MethodGrid("gradcam"),))
    sweeps.run(config)
    changed = tmp_path / "data" / "IR" / "r0.npy"
    np.save(changed, 255 - np.load(changed))
    more = dataclasses.replace(config, methods=(MethodGrid("gradcam"), MethodGrid("gradcam", target=(1,))))
    sweeps.run(more)
    said = capsys.readouterr().err
    assert "clip r0:0-end:IR is passed over: `clips` must be those of the store; got another clip" in said
    assert "4 of 4 forward passes" in said.splitlines()[-1]
    found = status(more, sweeps.toy_groups(more))
    assert [cell["done"] for cell in found.data["cells"]] == [3, 2]


@pytest.mark.parametrize("devices", [2, 4])
def test_clips_are_laid_over_devices_where_each_takes_one_pass(inputs, tmp_path, monkeypatch, devices):
    """As many at once as there are devices, whatever cells they lack, and their curves side by side."""
    config = dataclasses.replace(sweeps.config(inputs), store=str(tmp_path / "one.zarr"), **CURVES)
    sweeps.run(config)
    sizes, measured = [], []
    made, measure_maps = first_pass.gradcam_clips, first_pass.measure_maps
    monkeypatch.setattr(first_pass, "gradcam_clips", lambda *a, **k: sizes.append(len(a[1])) or made(*a, **k))
    monkeypatch.setattr(
        first_pass, "measure_maps", lambda *a, **k: measured.append((a[0], len(a[2]))) or measure_maps(*a, **k)
    )
    monkeypatch.setattr(jax, "local_device_count", lambda: devices)
    several = dataclasses.replace(config, store=str(tmp_path / "several.zarr"))
    sweeps.run(dataclasses.replace(several, methods=CURVES["methods"][:1]))
    assert sizes == []
    sweeps.run(several)
    assert sizes == {2: [2, 2, 1, 1], 4: [3, 3]}[devices]  # two targets; three clips
    assert measured == [("deletion", devices), ("insertion", devices)] * 2
    sweeps.assert_same(sweeps.contents(config.store), sweeps.contents(several.store), rtol=1e-5)


def test_chunks_of_a_store_stay(done):
    with pytest.raises(ValueError, match="`masks_per_commit` must stay what .* was begun with, 8; got 9"):
        sweeps.run(dataclasses.replace(done, masks_per_commit=9))


@pytest.mark.parametrize(("count", "processes"), [(7, 3), (2, 4), (8, 4), (5, 1)])
def test_every_task_is_done_once(count, processes):
    shares = [share_out(list(range(count)), number, processes) for number in range(processes)]
    alone = [task for own, _ in shares for task in own]
    assert sorted(alone + shares[0][1]) == list(range(count))
    assert all(together == shares[0][1] for _, together in shares)
    assert len({len(own) for own, _ in shares}) == 1


def test_as_typed(inputs, tmp_path, monkeypatch, capsys):
    sweeps.make_checkpoint(inputs)
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)
    config = tmp_path / "sweep.toml"
    config.write_text(
        f"""
        store = "{tmp_path / "store"}"
        checkpoints = ["{inputs / "run"}"]
        spectra = ["TV"]
        [[clips]]
        data = "{inputs / "data"}"
        per_spectrum = 2
        [[methods]]
        method = "rise"
        options = {{num_masks = [4, 6]}}
        """
    )
    cli.main(["sweep", str(config)])
    printed = capsys.readouterr()
    assert "2 cells on 2 clips: 4 results" in printed.err
    assert printed.out.count("2 of 2 clips") == 2
    cli.main(["sweep", str(config), "--status"])
    assert capsys.readouterr().out == printed.out
    cli.main(["sweep", str(config), "--export", str(tmp_path / "a.csv")])
    assert "4 results" in capsys.readouterr().out
