"""A store's rows, datasets and exports, from records as a run puts them."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import xarray
from scipy.special import softmax

from jaxsal.core.files import DamagedError
from jaxsal.evaluation.results import open_results
from jaxsal.evaluation.store import Store

pytestmark = pytest.mark.usefixtures("no_shape_checks")
RISE, CAM, LEDGER, CLASSES = "a" * 16, "b" * 16, "c" * 16, ["run", "walk", "wave"]
CLIPS = ("r1", "r2", "r3")
OPTIONS = {RISE: dict(num_masks=6, grid_shape=[1, 2, 2]), CAM: dict(relu="sum")}


def described(series, method=None, scores=None):
    identity = dict(data="recordings", spectrum="IR", options=OPTIONS.get(series, {}), frames_per_mask=1)
    if method is not None:
        identity |= dict(method=method, recipe="default", target="predicted", measures={"deletion": {}})
    return dict(identity=identity, classes=CLASSES, checkpoint="runs/demo", scores=scores)


def fill(url):
    """Three clips by two methods, with curves for RISE; scores of four, two and six masks."""
    store, draw = Store(str(url), create=True), np.random.default_rng(0)
    for series, description in (
        (RISE, described(RISE, "rise", LEDGER)),
        (CAM, described(CAM, "gradcam")),
        (LEDGER, described(LEDGER)),
    ):
        store.describe(series, description)
    for number, clip in enumerate(CLIPS):
        note = dict(target=number, probability=0.5, seconds=0.1, label=2 - 3 * (number == 2), digest="d" * 64)
        note |= dict(spectrum="IR")
        measured = note | dict(deletion=0.25, insertion=0.75, floor=0.125, start=0.0625)
        curves = {f"{name}_logits": draw.normal(size=(5, 3)).astype(np.float32) for name in ("deletion", "insertion")}
        curves |= {f"{name}_fractions": np.linspace(0, 1, 5, dtype=np.float32) for name in ("deletion", "insertion")}
        curves |= {name: softmax(curves[f"{name}_logits"], axis=-1)[:, number] for name in ("deletion", "insertion")}
        store.put("result", RISE, clip, dict(saliency=np.full((2, 4, 6), number, np.float32), **curves), note=measured)
        store.put("result", CAM, clip, dict(saliency=np.full((2, 4, 6), -number, np.float32)), note=note)
        for start in range(0, (4, 2, 6)[number], 2):
            logits = np.arange(start, start + 2)[:, None] + np.array([0, 10, 20 + number], np.float32)
            arrays = dict(logits=logits.astype(np.float32), clip_logits=np.zeros(3, np.float32))
            store.put("scores", LEDGER, clip, arrays, span=(start, start + 2))
        store.commit()
    return store


def damage(path, text):
    """Flips the last bit of the one part that has a text."""
    (part,) = [part for part in (path / "parts").iterdir() if text in part.read_bytes()]
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)


def test_rows(tmp_path):
    fill(tmp_path)
    results = open_results(tmp_path)
    first, heads, *lines = repr(results).splitlines()
    assert first == f"Results({tmp_path}: 6 rows of 2 cells)"
    assert heads.split() == ["method", "clips", "probability", "deletion", "insertion", "floor"]
    assert [line.split() for line in lines] == [
        ["gradcam", "3", "0.5", "nan", "nan", "nan"],
        ["rise", "3", "0.5", "0.25", "0.75", "0.125"],
    ]
    assert "<td>rise</td><td>3</td>" in results._repr_html_()
    assert results.damaged == []
    row = results.rows[3]
    assert row == dict(
        cell=RISE,
        ledger=LEDGER,
        checkpoint="runs/demo",
        data="recordings",
        spectrum="IR",
        clip="r1",
        label="wave",
        method="rise",
        recipe="default",
        explained="predicted",
        target="run",
        probability=0.5,
        deletion=0.25,
        insertion=0.75,
        floor=0.125,
        seconds=0.1,
        start=0.0625,
        deletion_baseline="",
        insertion_baseline="",
        num_masks=6,
        grid_shape=(1, 2, 2),
        frames_per_mask=1,
        relu=None,
    )
    table = results.to_pandas()
    assert list(table["clip"]) == [*CLIPS, *CLIPS]
    assert list(table["label"][:3]) == ["wave", "wave", ""]
    assert table.groupby("grid_shape")["probability"].count().to_dict() == {(1, 2, 2): 3}
    assert table.loc[table["method"] == "gradcam", "deletion"].isna().all()


def test_rows_are_sorted_by_what_they_are_of(tmp_path):
    """By method, then by the size of options; not by the names of cells, which depend on the weights."""
    store = Store(str(tmp_path), create=True)
    wanted = [("gradcam", {}), *(("rise", dict(num_masks=n, grid_shape=g)) for n in (9, 10) for g in ([2, 9], [10, 1]))]
    for number, (method, options) in enumerate(wanted):
        series = f"{(number * 7 + 4) % 10:016d}"
        description = described(series, method)
        description["identity"]["options"] = options
        store.describe(series, description)
        store.put("result", series, "r1", {}, note=dict(target=0, probability=0.5, seconds=0.1, label=0, spectrum="IR"))
    store.commit()
    rows = open_results(tmp_path).rows
    assert [(row["method"], row["num_masks"], row["grid_shape"]) for row in rows] == [
        (method, options.get("num_masks"), tuple(options["grid_shape"]) if options else None)
        for method, options in wanted
    ]


def test_the_dataset_of_a_cell(tmp_path):
    store = fill(tmp_path)
    cell = open_results(tmp_path).dataset(RISE)
    assert cell["saliency"].dims == ("clip", "time", "row", "column")
    assert cell["saliency"].shape == (3, 2, 4, 6)
    assert cell.insertion_auc.sel(clip="r2").item() == 0.75
    assert cell.target.values.tolist() == ["run", "walk", "wave"]
    assert cell.seconds.values.tolist() == [0.1, 0.1, 0.1]
    assert cell.deletion_fraction.values.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert (cell.deletion.sel(step=4) == cell.deletion[:, -1]).all()
    assert cell.saliency.sel(clip="r2", time=1, row=3, column=5) == 1
    for number, clip in enumerate(CLIPS):
        (record,) = store.read("result", RISE, clip)
        np.testing.assert_array_equal(cell.deletion.sel(clip=clip), record.arrays["deletion"])
        np.testing.assert_array_equal(cell.insertion_logits.sel(clip=clip), record.arrays["insertion_logits"])
        assert (cell.saliency.sel(clip=clip) == number).all()
    assert cell.deletion_logits.sel({"class": "walk"}).dims == ("clip", "step")
    np.testing.assert_array_equal(cell.saliency[[2, 0], 1, ::3, 5], [[2, 2], [0, 0]])
    np.testing.assert_array_equal(cell.saliency[::-2, 0, 0, 0], [2, 0])
    assert cell.saliency[3:].shape == (0, 2, 4, 6)
    assert set(open_results(tmp_path).dataset(CAM)) == {"saliency", "target", "probability", "seconds"}


def test_the_dataset_of_a_ledger(tmp_path):
    fill(tmp_path)
    ledger = open_results(tmp_path).dataset(LEDGER)
    assert ledger.logits.dims == ("clip", "mask", "class")
    np.testing.assert_array_equal(ledger.logits.sel({"clip": "r1", "class": "wave"}), [20, 21, 22, 23, np.nan, np.nan])
    assert ledger.logits.isnull().sum("mask").sel({"class": "run"}).values.tolist() == [2, 4, 0]
    assert ledger.clip_logits.shape == (3, 3)


def test_a_name_of_nothing(tmp_path):
    fill(tmp_path)
    with pytest.raises(ValueError, match="`name` must be a cell or a ledger of .*; got 'x'"):
        open_results(tmp_path).dataset("x")
    with pytest.raises(FileNotFoundError, match="`store` must hold results"):
        open_results(tmp_path / "none")


def test_no_array_is_read_before_it_is_used(tmp_path):
    fill(tmp_path)
    results = open_results(tmp_path)
    cell = results.dataset(RISE)
    for part in (tmp_path / "parts").iterdir():
        part.write_bytes(b"")
    assert len(results.rows) == 6
    for _ in range(2):  # the second time as well
        with pytest.raises(DamagedError, match="`dataset` must be whole; got .*: it is cut off .result of r2"):
            cell.saliency.sel(clip="r2").load()


def test_export_to_tables(tmp_path):
    fill(tmp_path / "store")
    results = open_results(tmp_path / "store")
    assert results.export(tmp_path / "r.csv") == results.export(tmp_path / "r.parquet") == 6
    with open(tmp_path / "r.csv", newline="") as file:
        texts = list(csv.DictReader(file))
    table = pd.read_parquet(tmp_path / "r.parquet").to_dict("records")
    for text, values, row in zip(texts, table, results.rows, strict=True):
        assert list(text) == list(values) == list(row)
        for name in ("cell", "clip", "target", "label"):
            assert text[name] == values[name] == row[name]
        np.testing.assert_equal(float(text["deletion"]), row["deletion"])
        np.testing.assert_equal(values["deletion"], row["deletion"])
        assert text["grid_shape"] == ("" if row["grid_shape"] is None else json.dumps(row["grid_shape"]))


def test_export_to_zarr(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxsal.evaluation.results._CLIPS_AT_ONCE", 2)
    fill(tmp_path / "store")
    results, path = open_results(tmp_path / "store"), tmp_path / "r.zarr"
    for _ in range(2):  # the second takes the place of the first
        assert results.export(path) == 6
    with xarray.open_zarr(path) as table:
        assert table["clip"].values.tolist() == [*CLIPS, *CLIPS]
        assert table["num_masks"].values.tolist() == [*[pytest.approx(np.nan, nan_ok=True)] * 3, 6, 6, 6]
    for group, name in (("cells", RISE), ("cells", CAM), ("ledgers", LEDGER)):
        with xarray.open_zarr(path, group=f"{group}/{name}") as exported:
            xarray.testing.assert_equal(exported.load(), results.dataset(name).load())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["r.zarr", "store"]


def test_what_cannot_be_exported(tmp_path):
    store = fill(tmp_path / "store")
    with pytest.raises(ValueError, match="`export` must be one of .*; got '.xlsx'"):
        open_results(tmp_path / "store").export(tmp_path / "r.xlsx")
    Store(str(tmp_path / "empty"), create=True).write_about({})
    with pytest.raises(ValueError, match="`store` must hold a result; got none in .*empty"):
        open_results(tmp_path / "empty").export(tmp_path / "r.csv")
    store.compact()
    damage(tmp_path / "store", b'"r3"')
    with pytest.raises(DamagedError, match="`dataset` must be whole; got .*r3"):
        open_results(tmp_path / "store").export(tmp_path / "r.zarr")
    assert not list(tmp_path.glob("*.zarr*"))


@pytest.mark.parametrize("place", [3, 60], ids=["prelude", "header"])
def test_a_damaged_result_is_not_left_out(tmp_path, place):
    fill(tmp_path / "store")
    part = min((tmp_path / "store" / "parts").iterdir())
    content = bytearray(part.read_bytes())
    content[place] ^= 1
    part.write_bytes(content)
    results = open_results(tmp_path / "store")
    with pytest.raises(DamagedError, match=f"`store` must be whole; got .*{part.name}.*The next run makes it again"):
        results.export(tmp_path / "r.csv")
    assert len(results.rows) < 6
    assert "damaged" in repr(results)
