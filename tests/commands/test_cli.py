"""The commands as a user types them, on tiny networks and clips."""

import json
import re

import numpy as np
import pytest

import runs
from jaxsal.commands import cli
from jaxsal.commands.output import Output
from jaxsal.report.tables import results_from_csv
from jaxsal.training.train import train

SMALL = ["--num-masks", "8", "--num-steps", "3", "--grid-shape", "2", "2", "2"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(runs.SPEC, runs.OPTIONS, runs.loaded(), folder)
    return folder


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)


def dry_run(words, folder, capsys):
    """What a command says that it would do, and that it wrote nothing."""
    before = sorted(folder.rglob("*"))
    cli.main([*words, "--dry-run", "--json"])
    assert sorted(folder.rglob("*")) == before
    return json.loads(capsys.readouterr().out)


def test_train_then_evaluate_on_own_recordings(tmp_path, capsys):
    data = str(runs.save_recordings(tmp_path / "data"))
    sizes = ["--width", "2", "--num-frames", "4", "--size", "18", "--crop", "16"]
    steps = ["--num-steps", "4", "--batch-size", "4", "--save-every", "2"]
    training = ["train", "--data", data, "--spectra", "TV", "--output", str(tmp_path / "run"), *sizes, *steps]
    plan = dry_run(training, tmp_path, capsys)
    assert (plan["steps"], plan["steps_done"]) == (4, 0)
    cli.main(training)
    printed = capsys.readouterr().out
    assert set(plan["files"]) == {path.name for path in (tmp_path / "run").iterdir()}
    assert dry_run(training, tmp_path, capsys)["steps_done"] == 4
    assert "TV network, TV clips: test accuracy" in printed
    assert "TV network, IR clips: test accuracy" in printed
    assert "chance 0.500" in printed
    common = ["--checkpoint", str(tmp_path / "run"), "--data", data, "--output", str(tmp_path / "table")]
    common += ["--sampling", "sobol"]
    assert dry_run(["evaluate", *common, "--clips-per-spectrum", "2", *SMALL], tmp_path, capsys)["clips"] == 4
    cli.main(["evaluate", *common, "--clips-per-spectrum", "2", *SMALL, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert len(found["clips"]) == 4
    (row,) = (row for row in found["table"] if (row["spectrum"], row["method"]) == ("IR", "RISE"))
    assert row["num_clips"] == 2
    assert row["deletion"]["low"] <= row["deletion"]["mean"] <= row["deletion"]["high"]
    assert 0 < row["insertion"]["p_value"] <= 1
    results = results_from_csv(tmp_path / "table" / "results.csv")
    assert {row.method for row in results} == {"Grad-CAM", "RISE", "SIDU", "random"}
    assert len(results) == 4 * 4
    made_by = json.loads((tmp_path / "table" / "run.json").read_text())
    assert made_by["network"]["spectra"] == "TV"
    assert made_by["training"]["versions"]["jaxsal"]
    assert made_by["versions"]["jax"]
    assert "cpu: cpu" in made_by["devices"]
    assert "git_revision" in made_by
    explaining = made_by["explaining"]
    assert (explaining["rise"]["num_masks"], explaining["rise"]["grid_shape"]) == (8, [2, 2, 2])
    assert (explaining["rise"]["keep_prob"], explaining["sidu"]["threshold"]) == (0.1, 0.5)
    assert (explaining["rise"]["sampling"], explaining["precision"]) == ("sobol", "float32")
    assert [explaining[name]["baseline"] for name in ("deletion", "insertion")] == ["mean", "blur"]
    assert explaining["deletion"]["num_steps"] == 3
    assert len(made_by["weights_sha256"]) == 64


def test_explain_both_spectra(run_folder, tmp_path, capsys):
    np.save(tmp_path / "seen.npy", runs.moving_bar(1, 5, False))
    np.save(tmp_path / "warm.npy", runs.moving_bar(1, 5, True).astype(np.float32)[..., 0] / 10 + 20)
    arguments = [str(tmp_path / "seen.npy"), "--infrared", str(tmp_path / "warm.npy"), "--value-range", "20", "46"]
    arguments += ["--checkpoint", str(run_folder), "--output", str(tmp_path / "out"), "--method", "gradcam", "rise"]
    plan = dry_run(["explain", *arguments, *SMALL, "--target", "up"], tmp_path, capsys)
    assert (plan["clips"], plan["clips_done"]) == (2, 0)
    assert plan["passes"] == 2 * (1 + 1 + 8 + 2 * 3 * 3)  # the prediction, Grad-CAM, RISE, two curves of three maps
    cli.main(["explain", *arguments, *SMALL, "--target", "up"])
    printed = capsys.readouterr().out
    assert set(plan["files"]) == {path.name for path in (tmp_path / "out").iterdir()}
    again = dry_run(["explain", *arguments, *SMALL, "--target", "up"], tmp_path, capsys)
    assert (again["clips_done"], again["passes"]) == (2, 0)
    assert dry_run(["explain", *arguments, *SMALL, "--target", "down"], tmp_path, capsys)["clips_done"] == 0
    assert "warm-IR: " in printed
    assert "explained: up" in printed
    files = {file.relative_to(tmp_path / "out").parts[0] for file in (tmp_path / "out").rglob("*.*")}
    assert files == {
        *("results.csv", "table.md", "table.csv", "table.png", "run.json"),
        *("curves-IR.png", "curves-TV.png", "overlays", "explanations"),
    }
    suffixes = sorted(file.suffix for file in (tmp_path / "out" / "overlays").iterdir())
    assert suffixes == [".gif", ".gif", ".png", ".png"]


@pytest.mark.parametrize(
    ("network", "sizes"),
    [("resnet3d18", dict(num_frames=4, size=20, crop=16)), ("pan", dict(num_frames=8, size=36, crop=32))],
)
def test_demo_writes_its_folder(tmp_path, monkeypatch, capsys, network, sizes):
    """The demo's own code on fewer, smaller clips of the embedded set."""
    import dataclasses

    from jaxsal.commands import demonstration as demo

    preset = demo.PRESETS[network]
    smaller = demo.Preset(
        preset.network | dict(width=2) | sizes,
        dataclasses.replace(preset.training, batch_size=4),
        dataclasses.replace(preset.explaining, num_masks=8, num_steps=3),
    )
    monkeypatch.setitem(demo.PRESETS, network, smaller)
    whole = demo.open_clips

    def fewer(*arguments, **options):
        clip_set = whole(*arguments, **options)
        return dataclasses.replace(clip_set, records=tuple(r for r in clip_set.records if "take0-" in r.name)[::3])

    monkeypatch.setattr(demo, "open_clips", fewer)
    words = ["demo", "--network", network, "--output", str(tmp_path), "--num-steps", "2", "--clips-per-spectrum", "2"]
    plan = dry_run(words, tmp_path, capsys)
    assert (plan["steps"], plan["steps_done"], plan["clips"]) == (2, 0, 4)
    cli.main(words)
    printed = capsys.readouterr().out
    assert set(plan["files"]) == {path.name for path in tmp_path.iterdir()}
    plan = dry_run(words, tmp_path, capsys)
    assert (plan["steps_done"], plan["clips_done"], plan["passes"]) == (2, 4, 0)
    assert "Test accuracy IR" in printed
    assert "Grad-CAM" in printed
    assert "floor" in printed
    assert len(list((tmp_path / "overlays").glob("*.gif"))) == 4


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--method", "lime"], 2, r"`--method` must be one of \('gradcam', 'rise', 'sidu'\); got 'lime'"),
        (["--recipe", "mine"], 2, "`--recipe` must be one of"),
        (["--spectrum", "UV"], 2, r"`--spectrum` must be one of \('TV', 'IR'\); got 'UV'"),
        (["--num-masks", "ten"], 2, "`--num-masks` must be a whole number; got 'ten'"),
        (["--keep-prob", "often"], 2, "`--keep-prob` must be a number; got 'often'"),
        (["--grid-shape", "2", "3"], 2, "`--grid-shape` must have 3 value.s.; got fewer"),
        (["--grid-shape", "2", "3", "x"], 2, "`--grid-shape` must be a whole number; got 'x'"),
        (["--num-mask", "3"], 2, r"Unrecognized options: --num-mask, 3\. Perhaps you meant: --num-masks INT"),
        (["--target", "sideways"], 1, r"`--target` must be one of \('down', 'up'\) or a number below 2; got 'side"),
        (["--keep-prob", "0"], 1, r"`--keep-prob` must be in \(0, 1\]; got 0.0"),
        (["--chunk-size", "0"], 1, "`--chunk-size` must be at least 1; got 0"),
        (["--method"], 1, "`--method` must name at least one of"),
    ],
)
def test_an_error_is_one_line(run_folder, tmp_path, capsys, arguments, status, message):
    np.save(tmp_path / "seen.npy", runs.moving_bar(1, 5, False))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["explain", str(tmp_path / "seen.npy"), "--checkpoint", str(run_folder), *arguments])
    assert stopped.value.code == status
    errors = capsys.readouterr().err
    assert re.search(f"^jaxsal: {message}", errors)
    assert errors.count("\n") == 1


def test_spectra_that_are_not_there(run_folder, tmp_path, capsys):
    """Training on a spectrum that the recordings lack, and an infrared CLIP with an infrared partner."""
    import shutil

    data = runs.save_recordings(tmp_path / "data")
    shutil.rmtree(data / "IR")
    for arguments, message in (
        (["train", "--data", str(data), "--output", str(tmp_path / "run")], "`--spectra` must be present in the train"),
        (
            ["explain", "a.npy", "--spectrum", "IR", "--infrared", "b.npy", "--checkpoint", str(run_folder)],
            "`--infrared` must come with a visible CLIP",
        ),
        (["evaluate", "--checkpoint", str(run_folder)], "`--data` must have the checkpoint's classes"),
        (["evaluate", "--checkpoint", str(run_folder), "--clips-per-spectrum", "0"], "`--clips-per-spectrum` must be"),
    ):
        with pytest.raises(SystemExit):
            cli.main(arguments)
        assert message in capsys.readouterr().err


def test_missing_files_are_named_with_their_option(run_folder, tmp_path, capsys):
    np.save(tmp_path / "seen.npy", runs.moving_bar(1, 5, False))
    seen, none, run = str(tmp_path / "seen.npy"), str(tmp_path / "none.mp4"), str(run_folder)
    config = tmp_path / "sweep.py"
    config.write_text("masks = 3\nCONFIG = mask\n")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    for words, message in (
        (["explain", none, "--checkpoint", run], f"`CLIP` must exist; got {none}"),
        (["explain", seen, "--infrared", none, "--checkpoint", run], f"`--infrared` must exist; got {none}"),
        (["explain", seen, "--checkpoint", none], "`--checkpoint` must be a folder with a checkpoint"),
        (["evaluate", "--checkpoint", run, "--data", "nope"], "`--data` must be synthetic, the name of a prepared set"),
        (["data", "info", "nope"], "`NAME` must be prepared; got 'nope', not in"),
        (["convert", none, str(tmp_path / "out")], f"`SOURCE`: No such file or directory: {none}"),
        (["report", run, "--scenes", "0"], "`--scenes` must be at least 1; got 0"),
        (["report", str(tmp_path)], "`RUN` must be the folder of a run"),
        (["report", str(broken)], f"`RUN` must have a whole run.json; got {broken / 'run.json'}: KeyError('network')"),
        (["sweep", none.replace("mp4", "toml")], "`CONFIG`: No such file or directory"),
        (["sweep", str(config)], f"NameError: name 'mask' is not defined in {config}, line 2"),
    ):
        with pytest.raises(SystemExit) as stopped:
            cli.main(words)
        errors = capsys.readouterr().err
        assert errors.startswith(f"jaxsal: {message}")
        assert (stopped.value.code, errors.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "out of memory; a smaller `--chunk-size` needs less"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 5 bytes"), "out of memory; .* RESOURCE_EXHAUSTED"),
        (KeyError("classes"), "KeyError: 'classes' .--debug shows where"),
    ],
)
def test_no_error_shows_its_traceback(monkeypatch, capsys, error, message):
    def fail(verb):
        raise error

    monkeypatch.setattr(cli.Evaluate, "run", fail)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["evaluate", "--checkpoint", "x"])
    errors = capsys.readouterr().err
    assert stopped.value.code == 1
    assert re.match(f"jaxsal: {message}", errors)
    assert errors.count("\n") == 1


def test_debug_shows_where(run_folder, tmp_path):
    with pytest.raises(FileNotFoundError):
        cli.main(["explain", str(tmp_path / "none.mp4"), "--checkpoint", str(run_folder), "--debug"])


def test_json_for_machines(run_folder, tmp_path, capsys):
    np.save(tmp_path / "seen.npy", runs.moving_bar(1, 5, False))
    arguments = [str(tmp_path / "seen.npy"), "--checkpoint", str(run_folder), "--output", str(tmp_path / "out")]
    cli.main(["explain", *arguments, "--method", "gradcam", "--num-steps", "3", "--json"])
    (clip,) = json.loads(capsys.readouterr().out)["clips"]
    assert clip["name"] == "seen-TV"
    assert sum(clip["probabilities"].values()) == pytest.approx(1)
    assert set(clip["methods"]) == {"Grad-CAM", "random"}
    assert 0 <= clip["methods"]["Grad-CAM"]["deletion"] <= 1
    typed = json.loads((tmp_path / "out" / "run.json").read_text())["command"]
    assert typed.startswith("jaxsal explain")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["demonstrate"], "Unrecognized options: demonstrate. Available subcommands: demo, explain, "),
        ([], "Expected one of {demo, explain, "),
        (["explain"], "Missing from jaxsal explain: CLIP --checkpoint PATH. See `jaxsal explain --help`"),
    ],
)
def test_words_that_are_no_command_end_with_2(capsys, words, message):
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    errors = capsys.readouterr().err
    assert (stopped.value.code, errors.count("\n")) == (2, 1)
    assert errors.startswith(f"jaxsal: {message}")


@pytest.mark.parametrize(("verb", "goes_on"), [("demo", True), ("report", False)])
def test_an_interrupted_run_ends_with_130(monkeypatch, capsys, verb, goes_on):
    def interrupt(command):
        raise KeyboardInterrupt

    monkeypatch.setattr(getattr(cli, verb.title()), "run", interrupt)
    with pytest.raises(SystemExit) as stopped:
        cli.main([verb, *(["x"] if verb == "report" else [])])
    assert stopped.value.code == 130
    assert ("goes on where it was" in capsys.readouterr().err) == goes_on


def test_version_and_switches_before_the_verb(monkeypatch, capsys):
    cli.main(["explain", "--version"])
    assert capsys.readouterr().out.startswith("jaxsal 0.")
    monkeypatch.setattr(cli.Demo, "run", lambda verb: Output(verb.command, dict(command=verb.command)))
    cli.main(["--json", "demo"])
    assert json.loads(capsys.readouterr().out) == {"command": "jaxsal --json demo"}


def test_json_has_null_where_a_number_is_none():
    found = Output("", dict(wait=float("nan"), spans=((0.5, float("inf")), {"n": 3})))
    assert json.loads(found.json, parse_constant=pytest.fail) == dict(wait=None, spans=[[0.5, None], {"n": 3}])


@pytest.mark.parametrize(
    "words",
    [["demo"], ["paper"], ["train", "--output", "run"], ["evaluate", "--checkpoint", "{run}", "--data", "{set}"]],
)
def test_a_dry_run_computes_nothing(run_folder, tmp_path, monkeypatch, capsys, words):
    """Nothing is rendered, trained or explained, and the folder that it is called in stays empty."""

    def refuse(*arguments, **options):
        raise AssertionError("a dry run must not compute")

    data = runs.save_recordings(tmp_path / "data")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("datasets.synthetic.render_clip", "train.train_step", "evaluate.explain", "train.init_variables"):
        monkeypatch.setattr(f"jaxsal.{name}", refuse)
    words = [word.format(run=run_folder, set=data) for word in words]
    cli.main([*words, "--dry-run"])
    assert "Nothing was written or computed" in capsys.readouterr().out
    assert not list((tmp_path / "here").iterdir())
