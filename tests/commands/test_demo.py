"""`jaxsal demo` of a tiny network on fewer, smaller clips of the embedded set; and dry runs, which compute nothing."""

import dataclasses

import pytest

import runs
from jaxsal.commands import demo
from jaxsal.datasets import catalog
from jaxsal.report.run import read_run

METHODS = {"resnet3d18": ("gradcam", "rise", "sidu"), "pan": ("gradcam",)}
SMALLER = dict(arch="tiny", width=2, num_frames=4, size=20, crop=16)


@pytest.fixture
def network(request, monkeypatch):
    """A preset of the demo with a tiny network in the place of its own, on a 25th of the clips."""
    network = request.param
    preset, whole = demo.PRESETS[network], catalog.open_clips
    smaller = preset._replace(
        network=preset.network | SMALLER,
        training=dataclasses.replace(preset.training, batch_size=4),
        explaining=dataclasses.replace(preset.explaining, num_masks=8, num_steps=3, method=METHODS[network]),
    )
    monkeypatch.setitem(demo.PRESETS, network, smaller)

    def fewer(*arguments, **options):
        clip_set = whole(*arguments, **options)
        return dataclasses.replace(clip_set, records=clip_set.records[::25])

    monkeypatch.setattr(catalog, "open_clips", fewer)
    return network


@pytest.mark.parametrize("network", ["resnet3d18"], indirect=True)
def test_the_demo_writes_its_folder(tmp_path, run, dry_run, network):
    words = ["demo", "--scratch", "--output", tmp_path, "--num-steps", "2", "--clips-per-spectrum", "2"]
    plan = dry_run(*words)
    assert (plan["steps"], plan["steps_done"], plan["clips"]) == (2, 0, 4)

    printed = run(*words)

    assert set(plan["files"]) == {path.name for path in tmp_path.iterdir()}
    assert len(list((tmp_path / "overlays").glob("*.gif"))) == 4
    for part in ("Test accuracy IR", "Grad-CAM", "floor", "baseline reverse", "Where the actor is", "Holm"):
        assert part in printed
    assert (tmp_path / "evidence.md").read_text() in printed
    assert read_run(tmp_path).note == ""  # the results of the other baseline are of this command, too
    plan = dry_run(*words)
    assert (plan["steps_done"], plan["clips_done"], plan["passes"]) == (2, 4, 0)


@pytest.mark.parametrize("network", ["pan"], indirect=True)
def test_several_seeds_have_a_folder_each_and_tables_over_all(tmp_path, run, dry_run, network):
    words = ["demo", "--scratch", "--output", tmp_path, "--num-steps", "1", "--clips-per-spectrum", "2"]
    words += ["--network", network]

    printed = run(*words, "--seed", "3", "--seeds", "2")

    assert {path.name for path in tmp_path.iterdir()} == {"seed-3", "seed-4", "evidence.md"}
    alone, together = (path / "evidence.md" for path in (tmp_path / "seed-4", tmp_path))
    assert alone.read_text() != together.read_text()
    assert together.read_text() in printed
    for part in ("Seed 3: Test accuracy IR", "Seed 4: Test accuracy TV", "baseline reverse"):
        assert part in printed
    plan = dry_run(*words, "--seed", "3", "--seeds", "2")
    assert {seed: one["steps_done"] for seed, one in plan.items()} == {"3": 1, "4": 1}


@pytest.mark.parametrize(
    "words",
    [
        ["demo"],
        ["demo", "--seeds", "2"],
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
