"""The study's own numbers, rows that the study alone has, and what the numbers say by themselves."""

import pytest

from jaxsal.paper.cells import study_tables
from jaxsal.paper.config import PRESETS
from jaxsal.paper.published import cells, published, published_settings
from jaxsal.paper.published_cells import published_sheet
from jaxsal.paper.tables import table_sheet
from jaxsal.report.sheet import to_records


def test_every_cell_is_there_once():
    keys = [cell[:-1] for cell in cells()]
    assert len(set(keys)) == len(keys) == 161
    assert {len([c for c in cells() if c.table == t]) for t in ("results-ir", "results-tv", "rise-masks")} == {24}


def test_published_numbers_and_empty_cells():
    assert published("networks", "pan", "IR", "IR", "", "accuracy") == (0.9, None)
    assert published("results-ir", "pan", "IRTV", "IR", "rise", "deletion") == (0.17, 0.23)
    assert published("results-ir", "pan", "IRTV", "IR", "random", "deletion") is None
    assert published("rise-grid", "resnet3d18", "IRTV", "TV", "4x8x8", "insertion") == (0.56, 0.22)
    assert published_settings("sidu-threshold") == ["-1", "-0.5", "0", "0.5", "1"]


@pytest.mark.parametrize("table", study_tables(PRESETS["small"], "default"), ids=lambda table: table.name)
def test_every_published_number_stands_in_its_table(table):
    """Also those of settings that the small preset does not run: their rows have no value of ours."""
    sheet = to_records(table_sheet(table, {}))
    shown = [row[f"published {measure}"] for row in sheet for measure in ("deletion", "insertion")]
    expected = [cell.value._asdict() for cell in cells() if cell.table == table.name]
    assert sorted(filter(None, shown), key=repr) == sorted(expected, key=repr)
    alone = {row.setting for row in table.rows if not row.is_run}
    assert alone == ({"100", "1000", "10000"} if table.name == "rise-masks" else set())
    assert all((row["n"] is None) == (not line.is_run) for row, line in zip(sheet, table.rows, strict=True))


def test_what_the_numbers_say_by_themselves():
    """The facts that stand beside the study's numbers, from the numbers."""
    found = {(row["comparison"], row["measure"]): row for row in to_records(published_sheet())}
    over_rise = found["Grad-CAM over RISE", "insertion"]
    assert (over_rise["pairs"], over_rise["better"]) == (8, 8)
    assert over_rise["mean difference"] == pytest.approx(0.17, abs=0.005)
    assert found["Grad-CAM over SIDU", "insertion"]["mean difference"] == pytest.approx(0.02, abs=0.005)
    assert found["Grad-CAM over SIDU", "deletion"]["mean difference"] == pytest.approx(0.0, abs=0.005)
    joint = found["trained on IRTV over one spectrum", "insertion"]
    assert (joint["pairs"], joint["better"], joint["equal"]) == (12, 11, 1)
    constant = [found["SIDU: tau = -0.5 over -1", measure] for measure in ("deletion", "insertion")]
    assert {(row["pairs"], row["equal"]) for row in constant} == {(4, 4)}
    ranges = [found["RISE's default in three tables, range", measure] for measure in ("deletion", "insertion")]
    assert max(row["greatest"] for row in ranges) == pytest.approx(0.07)
