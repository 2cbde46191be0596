"""An error is one line that names the option, with status 1; --debug raises it."""

import pytest

from jaxsal.commands import cli


def assert_one_line(answer, message):
    status, errors = answer
    assert errors.startswith(f"jaxsal: {message}")
    assert (status, errors.count("\n")) == (1, 1)


def test_files_that_are_missing_or_broken_are_named_with_their_option(run_folder, seen, refused, tmp_path):
    none, run, broken, config = tmp_path / "none.mp4", run_folder, tmp_path / "broken", tmp_path / "sweep.py"
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    config.write_text("masks = 3\nCONFIG = mask\n")
    explain = ["explain", seen, "--checkpoint", run]
    for words, message in (
        (
            [*explain, "--target", "sideways"],
            "`--target` must be one of ('down', 'up') or a number below 2; got 'sideways'",
        ),
        ([*explain, "--keep-prob", "0"], "`--keep-prob` must be in (0, 1]; got 0.0"),
        ([*explain, "--method"], "`--method` must name at least one of"),
        ([*explain, "--spectrum", "IR", "--infrared", "b.npy"], "`--infrared` must come with a visible CLIP"),
        (["explain", none, "--checkpoint", run], f"`CLIP` must exist; got {none}"),
        (["explain", seen, "--infrared", none, "--checkpoint", run], f"`--infrared` must exist; got {none}"),
        (["explain", seen, "--checkpoint", none], "`--checkpoint` must be a folder with a checkpoint"),
        (["evaluate", "--checkpoint", run, "--data", "nope"], "`--data` must be synthetic, the name of a prepared set"),
        (["evaluate", "--checkpoint", run], "`--data` must have the checkpoint's classes"),
        (["evaluate", "--checkpoint", run, "--clips-per-spectrum", "0"], "`--clips-per-spectrum` must be at least 1"),
        (["data", "info", "nope"], "`NAME` must be prepared; got 'nope', not in"),
        (["convert", none, tmp_path / "out"], f"`SOURCE`: No such file or directory: {none}"),
        (["report", run, "--scenes", "0"], "`--scenes` must be at least 1; got 0"),
        (["report", tmp_path], "`FOLDER` must be the folder of a run"),
        (["report", broken], f"`FOLDER` must have a whole run.json; got {broken / 'run.json'}: KeyError('network')"),
        (["sweep", none.with_suffix(".toml")], "`CONFIG`: No such file or directory"),
        (["sweep", config], f"NameError: name 'mask' is not defined in {config}, line 2"),
        (["train", "--output", "run", "--num-steps", "5", "--num-epochs", "3"], "`--num-steps` must not come with"),
        (["train", "--output", "run", "--num-workers", "2"], "`--num-workers` must come with --stream; got 2"),
    ):
        assert_one_line(refused(*words), message)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "out of memory; a smaller `--chunk-size` needs less"),
        (RuntimeError("RESOURCE_EXHAUSTED: 5 bytes"), "out of memory; a smaller `--chunk-size` needs less. "),
        (KeyError("classes"), "KeyError: 'classes' (--debug shows the traceback)"),
    ],
)
def test_no_error_shows_its_traceback_without_debug(refused, monkeypatch, error, message):
    def fail(verb):
        raise error

    monkeypatch.setattr(cli.Evaluate, "run", fail)
    assert_one_line(refused("evaluate", "--checkpoint", "x"), message)
    with pytest.raises(type(error)):
        cli.main(["evaluate", "--checkpoint", "x", "--debug"])
