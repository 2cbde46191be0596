import dataclasses

import numpy as np
import pytest

import runs
import sweeps
from jaxsal.commands import cli
from jaxsal.evaluation.evaluate import Case
from jaxsal.evaluation.sweep import cells, records, work
from jaxsal.evaluation.sweep.cells import expand
from jaxsal.evaluation.sweep.config import ClipChoice, MethodGrid
from jaxsal.evaluation.sweep.export import status
from jaxsal.evaluation.sweep.progress import Progress
from jaxsal.evaluation.sweep.run import run_sweep
from jaxsal.evaluation.sweep.store import Store

pytestmark = pytest.mark.usefixtures("no_shape_checks")
FEW = MethodGrid("rise", options={"num_masks": [5, 9], "grid_shape": [[2, 3, 3]]})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    sweeps.make_recordings(folder)
    return folder


def config_of(inputs, tmp_path, **changes):
    changes = dict(methods=(FEW,)) | changes
    return dataclasses.replace(sweeps.config(inputs, **changes), store=str(tmp_path / "store"))


def test_what_is_listed_twice_is_done_once(inputs, tmp_path):
    """Choices of clips that overlap, weights in two folders, a spectrum and options that are written in two ways."""
    data = str(inputs / "data")
    choices = (ClipChoice(data, per_spectrum=3), ClipChoice(data + "/", per_spectrum=2, seed=1))
    grid = MethodGrid("rise", options={"num_masks": [9], "grid_shape": [[2, 3, 3]], "keep_prob": [1, 1.0]})
    config = config_of(inputs, tmp_path, clips=choices, spectra=("IR", "IR"), methods=(grid, grid))
    network = sweeps.toy_groups(config)[0].network
    groups = expand(config, [network, network._replace(folder="copy")])
    assert [len(group.cases) for group in groups] == [3]
    plan = run_sweep(config, groups)
    assert (plan.cells, plan.ledgers, plan.masks, plan.passes) == (1, 1, 27, 30)


def test_clips_that_are_added_later(inputs, tmp_path):
    data = str(inputs / "data")
    config = config_of(inputs, tmp_path, clips=(ClipChoice(data, per_spectrum=2),))
    sweeps.run(config)
    more = dataclasses.replace(config, clips=(ClipChoice(data, per_spectrum=4),))
    assert sweeps.run(more).passes == 2 * (9 + 1)
    assert sweeps.run(more).passes == 0


def test_status_and_dry_run_plan_and_write_nothing(inputs, tmp_path, monkeypatch):
    config = config_of(inputs, tmp_path)
    groups = sweeps.toy_groups(config)
    with pytest.raises(FileNotFoundError, match="`store` must hold a sweep; got "):
        status(config, groups)
    found = status(config, groups, new=True)
    assert "30 forward passes to do" in found.text
    assert "0 of 27 masks held in ledger" in found.text
    assert not (tmp_path / "store").exists()

    writes, write = [], Store.write

    def interrupted(self, path, index, values):
        writes.append(path)
        if len(writes) > 9:
            raise KeyboardInterrupt
        return write(self, path, index, values)

    monkeypatch.setattr(Store, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweeps.run(config)
    monkeypatch.setattr(Store, "write", write)
    before = {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()}
    found = status(config, groups)
    assert found.data["cells"][0]["done"] == 1
    left = found.data["forward_passes"]
    assert 0 < left < 30
    assert f"{left} forward passes to do" in found.text
    assert before == {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()}
    logits = tmp_path / "store" / groups[0].cells[0].ledger.path / "logits"
    (logits / "c" / "0" / "0" / "0").write_bytes(b"cut")
    assert "damaged: " in status(config, groups).text
    (logits / "zarr.json").unlink()
    assert "0 of 27 masks held in ledger" in status(config, groups).text
    assert sweeps.run(config).passes > left


def test_dry_run_as_typed(inputs, tmp_path, monkeypatch, capsys):
    config = config_of(inputs, tmp_path)
    file = tmp_path / "sweep.py"
    file.write_text(f"from jaxsal.evaluation.sweep.config import *\nCONFIG = {config!r}\n")
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)
    monkeypatch.setattr("jaxsal.evaluation.sweep.export.open_groups", sweeps.toy_groups)
    cli.main(["sweep", str(file), "--dry-run"])
    assert "2 cells on 3 clips: 6 results, 0 of them held" in capsys.readouterr().out
    assert not (tmp_path / "store").exists()


def test_targets_and_labels_are_checked_before_computing(inputs, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="`target` must be a class from 0 to 1; got 2"):
        sweeps.toy_groups(config_of(inputs, tmp_path, methods=(MethodGrid("gradcam", target=(2,)),)))
    unknown = [Case("r7", "IR", -1, lambda: None)]
    monkeypatch.setattr(cells, "select_cases", lambda *arguments: unknown)
    with pytest.raises(ValueError, match="`target` must be known for every clip; got no label for r7"):
        sweeps.toy_groups(config_of(inputs, tmp_path, methods=(MethodGrid("gradcam", target=("label",)),)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(batch_size=[4]), "`batch_size` must be left out in a sweep; got 4"),
        (dict(sampling=["independent", "sobol"]), "`sampling` must be 'independent' in a sweep; got 'sobol'"),
    ],
)
def test_options_that_no_sweep_takes(inputs, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        sweeps.toy_groups(config_of(inputs, tmp_path, methods=(MethodGrid("rise", options=options),)))


def with_cases(config, change):
    """The cells of a config, the first clip being changed."""
    group = sweeps.toy_groups(config)[0]
    return [dataclasses.replace(group, cases=(change(group.cases[0]), *group.cases[1:]))]


def test_whatever_a_reader_raises_concerns_its_clip_alone(inputs, tmp_path, capsys):
    class OwnError(Exception):
        pass

    def fail():
        raise OwnError("the tape is torn")

    config = config_of(inputs, tmp_path)
    groups = with_cases(config, lambda case: case._replace(load=fail))
    run_sweep(config, groups)
    said = capsys.readouterr().err
    assert "is passed over: the tape is torn" in said
    assert said.splitlines()[-1].startswith("jaxsal: 20 of 20 forward passes")
    found = status(config, groups)
    assert [cell["done"] for cell in found.data["cells"]] == [2, 2]
    assert found.data["failures"][0]["reason"] == "the tape is torn"
    assert found.data["failures"][0].keys() == {"clip", "reason", "checkpoint", "data", "split", "spectrum"}


def test_scores_that_are_not_finite_concern_their_clip_alone(inputs, tmp_path, monkeypatch, capsys):
    run, calls = work.Scorer.__call__, []

    def broken(*arguments):
        calls.append(arguments)
        return run(*arguments) * (np.float32("nan") if len(calls) == 2 else 1)

    monkeypatch.setattr(work.Scorer, "__call__", broken)
    config = config_of(inputs, tmp_path)
    sweeps.run(config)
    said = capsys.readouterr().err
    assert "is passed over: `checkpoint` must give finite numbers; got others" in said
    assert "jaxsal: 30 of 30 forward passes" in said.splitlines()[-1]  # of which the last was not used
    assert sweeps.run(config).passes == 1 + 1


def test_failures_of_names_that_look_alike(inputs, tmp_path):
    group = sweeps.toy_groups(config_of(inputs, tmp_path))[0]
    other = dataclasses.replace(group, identity=group.identity | {"spectrum": "TV"})
    store = Store("memory://failures", create=True)
    places = [(group, "a b"), (group, "a_b"), (other, "a b")]
    for of, name in places:
        records.note_failure(store, of, Case(name, "IR", 0, runs.clip_set), "none")
    assert len(records.failures(store)) == 3
    records.clear_failure(store, group, Case("a b", "IR", 0, runs.clip_set))
    assert {(note["clip"], note["spectrum"]) for note in records.failures(store)} == {("a_b", "IR"), ("a b", "TV")}


def test_progress_within_a_commit(inputs, tmp_path, monkeypatch):
    added, add = [], Progress.add
    monkeypatch.setattr(Progress, "add", lambda self, passes: (added.append(passes), add(self, passes)))
    grid = MethodGrid("rise", options={"num_masks": [70], "grid_shape": [[2, 3, 3]]})
    sweeps.run(config_of(inputs, tmp_path, methods=(grid,), masks_per_commit=128))
    assert added[:5] == [1, 32, 32, 6, 0]
