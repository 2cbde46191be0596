"""`jaxsal demo` of a tiny network on fewer, smaller clips of the embedded set; and dry runs, which compute nothing."""

import dataclasses

import pytest

import runs
from jaxsal.commands import demo
from jaxsal.datasets import catalog
from jaxsal.report.run import read_run
from jaxsal.training.train import train_step

SMALLER = dict(arch="tiny", width=2, num_frames=4, size=20, crop=16)


@pytest.fixture
def small_demo(monkeypatch):
    """The demo of PAN with a tiny network in the place of its own, on a 25th of the clips."""
    preset, whole = demo.PRESETS["pan"], catalog.open_clips
    smaller = preset._replace(
        network=preset.network | SMALLER,
        training=dataclasses.replace(preset.training, batch_size=4),
        explaining=dataclasses.replace(preset.explaining, num_steps=3, method=("gradcam", "sidu")),
    )
    monkeypatch.setitem(demo.PRESETS, "pan", smaller)

    def fewer(*arguments, **options):
        clip_set = whole(*arguments, **options)
        return dataclasses.replace(clip_set, records=clip_set.records[::25])

    monkeypatch.setattr(catalog, "open_clips", fewer)


@pytest.mark.usefixtures("small_demo")
def test_the_demo_writes_its_folder_and_several_seeds_one_each_and_tables_over_all(tmp_path, run, dry_run):
    words = ["demo", "--scratch", "--network", "pan", "--num-steps", "1", "--clips-per-spectrum", "2", "--seed", "3"]
    folder = tmp_path / "seed-3"
    alone, several = [*words, "--output", folder], [*words, "--output", tmp_path, "--seeds", "2"]
    plan = dry_run(*alone)
    assert (plan["steps"], plan["steps_done"], plan["clips"]) == (1, 0, 4)

    printed = run(*alone)

    assert set(plan["files"]) == {path.name for path in folder.iterdir()}
    assert len(list((folder / "overlays").glob("*.gif"))) == 4
    for part in ("Test accuracy IR", "Grad-CAM", "floor", "baseline reverse", "Where the actor is", "Holm"):
        assert part in printed
    assert (folder / "evidence.md").read_text() in printed
    assert read_run(folder).note == ""  # the results of the other baseline are of this command, too
    plan = dry_run(*alone)
    assert (plan["steps_done"], plan["clips_done"], plan["passes"]) == (1, 4, 0)

    programs = train_step._cache_size()
    printed = run(*several)

    assert train_step._cache_size() == programs  # another seed is no other program
    assert {path.name for path in tmp_path.iterdir()} == {"seed-3", "seed-4", "evidence.md"}
    own, together = (path / "evidence.md" for path in (tmp_path / "seed-4", tmp_path))
    assert own.read_text() != together.read_text()
    assert together.read_text() in printed
    for part in ("Seed 3: Test accuracy IR", "Seed 4: Test accuracy TV", "baseline reverse"):
        assert part in printed
    assert {seed: one["steps_done"] for seed, one in dry_run(*several).items()} == {"3": 1, "4": 1}


@pytest.mark.parametrize(
    "words",
    [
        ["demo"],
        ["paper"],
        ["train", "--output", "run"],
        ["evaluate", "--checkpoint", "{run}", "--data", "{data}"],
    ],
)
def test_a_dry_run_computes_nothing(run_folder, tmp_path, monkeypatch, run, request, words):
    """Nothing is rendered, trained or explained, and the working folder stays empty."""
    if words[0] != "demo":  # which starts from weights of its own network
        request.getfixturevalue("tiny_networks")

    def refuse(*arguments, **options):
        raise AssertionError("a dry run must not compute")

    data = runs.save_recordings(tmp_path / "data")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in (
        *("datasets.synthetic.scenes.render_clip", "training.train.train_step", "training.train.init_variables"),
        *("report.folder.explain_cases", "evaluation.explain.run_groups"),
    ):
        monkeypatch.setattr(f"jaxsal.{name}", refuse)
    printed = run(*(word.format(run=run_folder, data=data) for word in words), "--dry-run")
    assert "Nothing was written or computed" in printed
    assert not list((tmp_path / "here").iterdir())
