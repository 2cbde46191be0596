"""The whole study on tiny clips and on classifiers without a network: every table, resumed, and what it refuses."""

import csv
import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

import runs
from conftest import shape_checks_off
from jaxsal.paper.cells import study_tables
from jaxsal.paper.config import PRESETS, NetworkConfig
from jaxsal.paper.report import Findings, write_report
from jaxsal.paper.run import chosen_tables, run_study, study_parts
from jaxsal.paper.training import decoder, only, train_network
from jaxsal.training.options import TrainOptions
from jaxsal.training.pretrained import open_pretrained
from studies import SIZES, STUDY, clip_set, patch_run, toy_networks

SHEETS = ["networks", "results-ir", "results-tv", "rise-masks", "rise-grid", "rise-probability", "sidu-threshold"]
SHEETS += ["baselines", "contrasts", "truth", "truth-agreement", "published", "conclusions", "conclusions-evidence"]


def read_csv(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def tiny(monkeypatch):
    patch_run(monkeypatch.setattr)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study by two recipes: its folder and its reports, the last of both side by side."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch, shape_checks_off():
        patch_run(patch.setattr)
        return folder, run_study(STUDY, folder, recipes=["default", "icpr2022"], command="jaxsal paper")


def test_the_whole_study(whole):
    output, (found, *_) = whole
    folder, report, tables, _ = found
    assert list(tables) == SHEETS
    assert folder == output / "default"
    assert (folder / "report.md").read_text() == report
    assert sorted(path.stem for path in (folder / "tables").glob("*.tex")) == sorted(SHEETS)
    for name in SHEETS:
        assert len((folder / "tables" / f"{name}.md").read_text().splitlines()) > 2
        assert (folder / "tables" / f"{name}.md").read_text() in report
    run_file = json.loads((folder / "run.json").read_text())
    assert run_file["command"] == "jaxsal paper"
    assert run_file["study"]["num_masks"] == 6
    rows = read_csv(folder / "tables" / "results-ir.csv")
    methods = [row["method"] for row in rows]
    assert methods == 4 * methods[: len(rows) // 4]
    assert methods[:4] == ["Grad-CAM", "RISE", "SIDU", "random"]
    assert methods[-2:] == ["constant", "floor"]
    assert len(read_csv(folder / "tables" / "contrasts.csv")) == 2 * 4 * 3 * 4
    assert {row["n"] for row in rows} == {"2"}
    clips = read_csv(folder / "clips.csv")
    chosen = [
        float(clip["insertion"])
        for clip in clips
        if (clip["table"], clip["arch"], clip["trained on"], clip["setting"]) == ("results-ir", "pan", "IRTV", "rise")
    ]
    row = next(r for r in rows if (r["network"], r["trained on"], r["method"]) == ("PAN", "IRTV", "RISE"))
    assert float(row["insertion ↑ mean"]) == pytest.approx(np.mean(chosen))


def test_two_recipes_stand_side_by_side(whole):
    *single, both = whole[1]
    assert [report.folder.name for report in single] == ["default", "icpr2022"]
    assert both.folder == single[0].folder.parent / "side-by-side"
    assert (both.folder / "report.md").read_text() == both.report
    assert list(both.tables) == ["results-ir", "results-tv", "conclusions"]
    for number, row in enumerate(both.tables["results-ir"]):
        for report in single:
            assert row[f"insertion ↑, {report.folder.name}"] == report.tables["results-ir"][number]["insertion ↑"]
    verdicts = [row["verdict"] for row in single[1].tables["conclusions"]]
    assert [row["verdict, icpr2022"] for row in both.tables["conclusions"]] == verdicts


@pytest.mark.usefixtures("tiny")
def test_one_table_of_a_whole_study_is_made_of_what_is_there(whole, monkeypatch):
    output, (_, of_all, _) = whole
    monkeypatch.setattr("jaxsal.evaluation.runner.do_batch", pytest.fail)
    ((folder, report, tables, _),) = run_study(STUDY, output, recipes=["icpr2022"], only=["sidu-threshold"])
    assert (output / "icpr2022" / "report.md").read_text() == of_all.report
    assert tables["sidu-threshold"] == of_all.tables["sidu-threshold"]
    below = [{**row, "threshold tau": ""} for row in tables["sidu-threshold"] if row["threshold tau"] in ("-1", "-0.5")]
    assert below[::2] == below[1::2]
    assert "SIDU of another clip" in {row["threshold tau"] for row in tables["sidu-threshold"]}
    assert "## SIDU: threshold tau" in report
    assert "tau < 0 is much worse" in report
    assert "## Results" not in report
    assert "PAN gets standardised clips" in report
    assert {path.name for path in (folder / "tables").glob("*.csv")} >= {"sidu-threshold.csv"}


def test_tables_and_recipes_that_there_are_not(tmp_path):
    with pytest.raises(ValueError, match=r"`only` must be one of \('results-ir', .*; got 'rise'"):
        run_study(STUDY, tmp_path, only=["rise"])
    with pytest.raises(ValueError, match=r"`recipe` must be one of \('default', 'icpr2022'\); got 'canonical'"):
        run_study(STUDY, tmp_path, recipes=["default", "canonical"])


def test_min_max_input_of_pan_is_of_the_studys_recipe_alone():
    study = dataclasses.replace(STUDY, pan_input="minmax")
    assert study.options("icpr2022", "pan") == dataclasses.replace(
        STUDY.options("icpr2022"), rise_batch=24, sidu_batch=64
    )
    for recipe, arch in (("default", "pan"), ("icpr2022", "resnet3d18")):
        assert study.options(recipe, arch) == STUDY.options(recipe, arch)
        assert study.normalization(recipe, arch) == "standardize"
    assert (study.run_name("default"), study.run_name("icpr2022")) == ("default", "icpr2022-minmax")


def test_min_max_input_reaches_the_explanations_and_the_report(tmp_path):
    """Of PAN alone, in the batches of the study's code."""
    study = dataclasses.replace(STUDY, pan_input="minmax")
    networks = toy_networks(study, lambda config: clip_set(), tmp_path)
    groups = [part.group for part in study_parts(study, "icpr2022", chosen_tables(study, "icpr2022", ()), networks)]
    seen = {
        (group.source.split("-")[0], group.classifier.normalization, cell.options.batch_size)
        for group in groups
        for cell in group.cells
        if cell.method == "rise"
    }
    assert seen == {("pan", "minmax", 24), ("resnet3d18", "standardize", None)}
    made_by = dict(command="", data="", seconds={})
    report = write_report(tmp_path, Findings(study, "icpr2022", (), networks, {}, []), made_by).report
    assert "gets clips of range [0, 1]" in report


def test_rows_share_cells():
    tables = {table.name: table for table in study_tables(STUDY, "default")}
    options = [row.cell.options for table in tables.values() for row in table.rows if row.is_run]
    assert len(set(options)) == 1 + 1 + 1 + 1 + 1
    defaults = [("rise-masks", "6"), ("rise-grid", "2x8x8"), ("rise-probability", "0.1"), ("sidu-threshold", "0.5")]
    for name, setting in defaults:
        row = next(row for row in tables[name].rows if row.setting == setting)
        assert row.cell.options == tables["results-ir"].rows[0].cell.options


def test_a_network_is_trained_once(tmp_path, monkeypatch):
    monkeypatch.setitem(runs.NETWORKS, "resnet3d18", runs.NETWORKS["tiny"])
    config = NetworkConfig("resnet3d18", "IR", **SIZES, training=TrainOptions(num_steps=2, batch_size=4, save_every=2))
    clips = clip_set()
    first = train_network(config, clips, decoder(config.spec(clips.classes), clips), tmp_path)
    assert first.steps == 2
    assert first.accuracy["IR"][1] == 4
    monkeypatch.setattr("jaxsal.paper.training.train", pytest.fail)
    again = train_network(config, clips, pytest.fail, tmp_path)
    assert again.accuracy == first.accuracy
    assert 0 < first.minutes == again.minutes
    assert again.input_wait == first.input_wait
    np.testing.assert_array_equal(
        again.classifier(np.zeros((4, 16, 16, 3))), first.classifier(np.zeros((4, 16, 16, 3)))
    )


def test_a_small_network_starts_from_the_weights_that_come_with_the_package(tmp_path, monkeypatch):
    started = []

    def refuse(*arguments, start, **options):
        started.append(start)
        raise InterruptedError

    monkeypatch.setattr("jaxsal.paper.training.train", refuse)
    clips, config = clip_set(), dataclasses.replace(PRESETS["small"].network("resnet3d18", "TV"), num_frames=4)
    with pytest.raises(InterruptedError):
        train_network(config, clips, decoder(config.spec(clips.classes), clips), tmp_path)
    given, ours = (weights["params"] for weights in (open_pretrained("embedded").variables, started[0]))
    np.testing.assert_array_equal(ours["stem_conv"]["kernel"], given["stem_conv"]["kernel"])
    assert ours["fc"]["bias"].shape == (len(clips.classes),)  # a head of its own for other classes


def test_streamed_clips_are_trained_on_alike():
    clips, config = clip_set(), NetworkConfig("resnet3d18", "IR", **SIZES, training=runs.OPTIONS)
    spec, chosen = config.spec(clips.classes), clips.select(split="train", spectra=("IR",))
    held, read = (only(decoder(spec, clips, num_workers=number)("train"), chosen) for number in (None, 0))
    assert read.clip_set == chosen
    assert [r.name for r in held.clip_set.records] == [r.name for r in chosen.records]
    key = jax.random.key(3)
    for number in (0, len(chosen.records) - 1):
        np.testing.assert_array_equal(held.clip(number, key), read.clip(number, key))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(networks=STUDY.networks[1:]), "`networks` must be one of each of"),
        (dict(mask_counts=(6, 3)), r"`mask_counts` must ascend; got \(6, 3\)"),
        (dict(clips_per_spectrum=0), "`clips_per_spectrum` must be at least 1; got 0"),
    ],
)
def test_bad_studies(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(STUDY, **change)


@pytest.mark.usefixtures("tiny", "no_shape_checks")
def test_several_trainings(whole, tmp_path):
    """What one training has is taken up; intervals are of both, and each conclusion says that two stand behind it."""
    shutil.copytree(whole[0] / "default", tmp_path / "default")
    study = dataclasses.replace(STUDY, trainings=2)
    ((_, report, tables, _),) = run_study(study, tmp_path, only=["results-ir"])
    clips = read_csv(tmp_path / "default" / "only-results-ir" / "clips.csv")
    chosen = [clip for clip in clips if (clip["arch"], clip["trained on"], clip["setting"]) == ("pan", "IR", "rise")]
    assert [(clip["training"], clip["clip"]) for clip in chosen] == [
        (number, clip) for number in "01" for clip in sorted({clip["clip"] for clip in chosen})
    ]
    row = next(r for r in tables["results-ir"] if (r["network"], r["method"]) == ("PAN", "RISE"))
    values = [float(clip["deletion"]) for clip in chosen]
    assert row["deletion ↓"]["mean"] == pytest.approx(np.mean(values))
    assert row["n"] == 2
    assert {line["seed"] for line in tables["networks"]} == {0, 1}
    assert "each network trained 2 times" in report


def test_the_table_over_baselines(whole):
    """Floors differ between baselines; the recipe's own values are those of the main tables."""
    _, report, tables, _ = whole[1][0]
    rows = tables["baselines"]
    assert {row["baseline"] for row in rows} == {"recipe", "reverse"}
    floors = {
        name: [row["floor of deletion"] for row in rows if row["baseline"] == name] for name in ("recipe", "reverse")
    }
    np.testing.assert_allclose(floors["recipe"], 0.5)  # the mean colour, which says nothing to these classifiers
    assert min(floors["reverse"]) > 0.9  # which do not look at the order of frames
    own = next(row for row in rows if (row["network"], row["input"], row["method"]) == ("PAN", "IR", "RISE"))
    main = [row for row in tables["results-ir"] if (row["network"], row["trained on"]) == ("PAN", "IRTV")]
    assert own["deletion ↓"] == next(row["deletion ↓"] for row in main if row["method"] == "RISE")
    assert own["floor of deletion"] == pytest.approx(main[-1]["deletion ↓"]["mean"])
    assert all((row["p"] is None) == (row["method"] not in ("Grad-CAM", "RISE", "SIDU")) for row in rows)
    assert all(row["p"] <= row["Holm"] for row in rows if row["p"] is not None)
    assert "## Baselines of the curves" in report


def test_clips_are_shown_backwards_where_the_set_has_both_classes():
    config = PRESETS["small"].networks[0]
    pair = config.training.reversals[0]
    assert config.with_classes((*pair, "jump")).training.reversals == (pair,)
    assert config.with_classes((pair[0], "jump")).training.reversals == ()


def test_seeds_reach_the_trainings():
    study = dataclasses.replace(PRESETS["small"], trainings=2).with_seed(3)
    assert [network.training.seed for network in study.trained_networks] == [3] * 6 + [4] * 6
    assert len({network.name for network in study.trained_networks}) == 12
    assert {network.training.seed for network in study.networks} == {3} == {study.options("default").seed}
