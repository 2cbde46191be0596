"""Sweeps of a toy: what a store holds afterwards, what costs no pass, and which clips are passed over."""

import dataclasses
import json
import threading

import jax
import numpy as np
import pytest
from scipy.special import softmax

import buckets
import sweeps
from jaxsal import deletion, rise_ledger, sidu
from jaxsal.commands import cli
from jaxsal.evaluation import runner, work
from jaxsal.evaluation.config import ClipChoice, MethodGrid
from jaxsal.evaluation.grid import expand
from jaxsal.evaluation.maps import read_map
from jaxsal.evaluation.status import merge_stores, status
from jaxsal.evaluation.store import Store
from jaxsal.evaluation.sweep import run_sweep, share_out

pytestmark = pytest.mark.usefixtures("no_shape_checks")
RISE = MethodGrid("rise", options=sweeps.RISE.options | {"estimator": ["centered"]})
CURVES = dict(methods=(RISE, MethodGrid("gradcam", target=("label", 1)), MethodGrid("sidu")), curve_steps=3)


@pytest.fixture(scope="module")
def done(inputs):
    """A finished sweep of every method, with curves."""
    from conftest import shape_checks_off

    config = sweeps.config(inputs, "done", **CURVES)
    with shape_checks_off():
        sweeps.run(config)
    return config


def test_scores_maps_and_curves_are_those_of_the_methods(done):
    (group,), store = sweeps.toy_groups(done), Store(done.store)
    assert len(group.cells) == 7
    assert len(group.score_sets) == 3
    classifier, case = group.classifier, group.cases[1]
    for number, cell in enumerate(group.cells):
        record = store.read("result", group.series[number], case.name)[0]
        found = read_map(store, group, number, case)
        if cell.method == "rise":
            options = dict(num_masks=29, grid_shape=cell.options.grid_shape)
            ledger = rise_ledger(jax.random.key(0), classifier, case.load(), **options)
            expected = ledger.map(num_masks=cell.options.num_masks, estimator=cell.options.estimator)
            (scores,) = [sweeps.contents(done.store)[group.reads[number], case.name, "logits"]]
            np.testing.assert_allclose(scores, ledger.logits, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        elif cell.method == "sidu":
            np.testing.assert_allclose(found, sidu(classifier, case.load()), rtol=1e-4, atol=1e-5)
        other = 1 - record.note["target"]  # of any class the curve is known
        expected = deletion(classifier, case.load(), found, other, num_steps=3)
        curve = softmax(record.arrays["deletion_logits"], axis=-1)[:, other]
        np.testing.assert_allclose(curve, expected.scores, rtol=1e-4, atol=1e-5)


def test_a_second_run_has_nothing_to_do(done, passes, capsys):
    plan = sweeps.run(done)
    assert (plan.cells, plan.clips, plan.clips_done, plan.results, plan.results_done) == (7, 3, 3, 21, 21)
    assert (plan.masks, plan.masks_done, plan.passes) == (3 * (29 + 29 + 3), 3 * (29 + 29 + 3), 0)
    assert passes == []
    assert "at most 0 forward passes to do" in capsys.readouterr().err
    assert status(done, sweeps.toy_groups(done)).text.count("3 of 3 clips") == 7


def test_what_scores_tell_costs_no_pass(inputs, tmp_path, passes):
    """Another class, kernel width, kind of score, estimator, or fewer masks; more masks cost those that are missing."""
    methods = (MethodGrid("rise", options={"num_masks": [20]}), MethodGrid("sidu"))
    config = sweeps.config(inputs, tmp_path, methods=methods)
    sweeps.run(config)
    passes.clear()
    scores = {"scores": ["logits", "probabilities"]}
    grids = (
        MethodGrid("sidu", options=scores | {"kernel_width": [0.1, 0.25]}, target=(0, 1, "label")),
        MethodGrid("rise", options=scores | {"num_masks": [5, 20], "estimator": ["mean", "centered"]}, target=(0, 1)),
    )
    plan = sweeps.run(dataclasses.replace(config, methods=grids))
    assert (plan.cells, plan.passes, sum(passes)) == (28, 0, 0)
    more = MethodGrid("rise", options={"num_masks": [29]})
    plan = sweeps.run(dataclasses.replace(config, methods=(more, MethodGrid("sidu"))))
    assert (plan.passes, sum(passes)) == (3 * 9, 3 * 9)


def test_grids_probabilities_and_slices_compile_one_scoring_program(inputs, tmp_path, capsys):
    options = {"num_masks": [13], "keep_prob": [0.2, 0.6], "grid_shape": [[2, 3, 3], [4, 2, 5]]}
    grid = MethodGrid("rise", options=options, frames_per_mask=(1, 2))
    sweeps.run(sweeps.config(inputs, tmp_path, methods=(grid,), chunk_size=3))
    assert ": 2 programs that score masks" in capsys.readouterr().err.splitlines()[-1]  # masks of 4 and of 2 frames


def test_what_is_listed_twice_is_done_once(inputs, tmp_path):
    """Choices of clips that overlap, weights in two folders, a spectrum and options that are written in two ways."""
    data = str(inputs / "data")
    choices = (ClipChoice(data, per_spectrum=3), ClipChoice(data + "/", per_spectrum=2, seed=1))
    grid = MethodGrid("rise", options={"num_masks": [9], "grid_shape": [[2, 3, 3]], "keep_prob": [1, 1.0]})
    config = sweeps.config(inputs, tmp_path, clips=choices, spectra=("IR", "IR"), methods=(grid, grid))
    network = sweeps.toy_network()
    groups = expand(config, [network, network._replace(folder="copy")])
    assert [len(group.cases) for group in groups] == [3]
    plan = run_sweep(config, groups)
    assert (plan.cells, plan.masks, plan.passes) == (1, 27, 30)


def test_clips_that_are_added_later(inputs, tmp_path):
    def config(count):
        clips = (ClipChoice(str(inputs / "data"), per_spectrum=count),)
        return sweeps.config(inputs, tmp_path, clips=clips, methods=(sweeps.FEW,))

    sweeps.run(config(2))
    assert sweeps.run(config(4)).passes == 2 * (9 + 1)
    assert sweeps.run(config(4)).passes == 0


def with_case(groups, change):
    """Groups of which the first clip is changed."""
    (group,) = groups
    return [dataclasses.replace(group, cases=(change(group.cases[0]), *group.cases[1:]))]


def test_whatever_a_reader_raises_concerns_its_clip_alone(inputs, tmp_path, capsys):
    class OwnError(Exception):
        pass

    def fail():
        raise OwnError("the tape is torn")

    config = sweeps.config(inputs, tmp_path, methods=(sweeps.FEW,))
    groups = with_case(sweeps.toy_groups(config), lambda case: case._replace(load=fail))
    run_sweep(config, groups)
    said = capsys.readouterr().err
    assert "is passed over: the tape is torn" in said
    assert " 20 forward passes" in said.splitlines()[-1]
    found = status(config, groups)
    assert [cell["done"] for cell in found.data["cells"]] == [2, 2]
    (failure,) = found.data["failures"]
    assert failure["reason"] == "the tape is torn"
    assert failure.keys() == {"clip", "reason", "checkpoint", "data", "split", "spectrum"}
    assert "not used: r0:0-end:IR: the tape is torn" in found.text
    sweeps.run(config)
    assert "not used" not in status(config, sweeps.toy_groups(config)).text


def test_another_clip_under_the_same_name_is_passed_over(inputs, tmp_path, capsys):
    """Whichever cell saw the clip first; the other clips go on."""
    config = sweeps.config(inputs, tmp_path, methods=(MethodGrid("gradcam"),))
    sweeps.run(config)
    more = dataclasses.replace(config, methods=(MethodGrid("gradcam"), MethodGrid("gradcam", target=(1,))))
    groups = with_case(sweeps.toy_groups(more), lambda case: case._replace(load=lambda: 1 - case.load()))
    run_sweep(more, groups)
    said = capsys.readouterr().err
    assert "clip r0:0-end:IR is passed over: `clips` must be those of the store; got another clip" in said
    assert [cell["done"] for cell in status(more, groups).data["cells"]] == [3, 2]


def test_scores_that_are_not_finite_concern_their_clip_alone(inputs, tmp_path, monkeypatch, capsys):
    complete = work.complete_scores

    def broken(batch, *arguments, **options):
        scores = complete(batch, *arguments, **options)
        return {clip: own._replace(logits=own.logits * (np.nan if clip == 1 else 1)) for clip, own in scores.items()}

    monkeypatch.setattr(work, "complete_scores", broken)
    config = sweeps.config(inputs, tmp_path, methods=(sweeps.FEW,))
    sweeps.run(config)
    assert "is passed over: `checkpoint` must give finite numbers; got others" in capsys.readouterr().err
    found = status(config, sweeps.toy_groups(config)).data
    assert [cell["done"] for cell in found["cells"]] == [2, 2]
    assert len(found["failures"]) == 1


def test_clips_are_laid_over_devices(inputs, done, tmp_path, monkeypatch):
    """As many at once as there are devices."""
    monkeypatch.setattr(jax, "local_device_count", lambda: 8)
    sizes, do = [], runner.do_batch
    monkeypatch.setattr(runner, "do_batch", lambda opened, run: sizes.append(run.clips_at_once) or do(opened, run))
    config = sweeps.config(inputs, tmp_path, **CURVES)
    sweeps.run(dataclasses.replace(config, methods=CURVES["methods"][:1]))
    sweeps.run(config)
    assert sizes == 2 * [8]
    sweeps.assert_same(sweeps.contents(config.store), sweeps.contents(done.store), rtol=1e-5)


@pytest.mark.parametrize("stores", [1, 2])
def test_shards_at_the_same_time_are_the_whole_sweep(inputs, done, tmp_path, stores):
    """Into one store, or into two that are merged."""
    configs = [sweeps.config(inputs, tmp_path / str(number % stores), **CURVES) for number in range(2)]
    threads = [
        threading.Thread(target=sweeps.run, args=(config,), kwargs=dict(shard=(number, 2)))
        for number, config in enumerate(configs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if stores == 2:
        assert sweeps.run(configs[0], shard=(0, 2)).clips_done == 2  # which leaves the third to the other
        taken = merge_stores(configs[0], [configs[1].store])
        assert taken == dict(masks=29 + 29 + 3, results=7)
    sweeps.assert_same(sweeps.contents(configs[0].store), sweeps.contents(done.store), rtol=1e-5)
    assert sweeps.run(configs[0]).passes == 0
    assert merge_stores(configs[0], [done.store]) == dict(masks=0, results=0)


@pytest.mark.parametrize(("count", "processes"), [(7, 3), (2, 4), (8, 4), (5, 1)])
def test_every_task_is_done_once(count, processes):
    shares = [share_out(list(range(count)), number, processes) for number in range(processes)]
    alone = [task for own, _ in shares for task in own]
    assert sorted(alone + shares[0][1]) == list(range(count))
    assert all(together == shares[0][1] for _, together in shares)
    assert len({len(own) for own, _ in shares}) == 1


@pytest.mark.parametrize("place", ["memory://sweep", "gs://bucket/sweep"])
def test_any_store_that_tensorstore_knows(inputs, tmp_path, monkeypatch, place):
    config = sweeps.config(inputs, tmp_path, methods=(sweeps.FEW,))
    sweeps.run(config)
    with buckets.serve() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        remote = dataclasses.replace(config, store=place)
        assert sweeps.run(remote).passes == 30
        assert sweeps.run(remote).passes == 0
        sweeps.assert_same(sweeps.contents(remote.store), sweeps.contents(tmp_path))


def test_a_large_sweep_leaves_few_files(inputs, tmp_path):
    clips = (ClipChoice(str(inputs / "data"), per_spectrum=6),)
    grid = MethodGrid("rise", options={"num_masks": [640], "grid_shape": [[2, 3, 3]]})
    config = sweeps.config(inputs, tmp_path, clips=clips, methods=(grid,), chunk_size=32, masks_per_commit=64)
    (group,) = sweeps.toy_groups(config)
    copies = [case._replace(name=f"{case.name} {copy}") for copy in range(3) for case in group.cases][:16]
    run_sweep(config, [dataclasses.replace(group, cases=tuple(copies))])
    sizes = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
    assert len(sizes) < 100
    assert sum(sizes) < 1_250_000


def test_as_typed(inputs, tmp_path, monkeypatch, capsys):
    sweeps.make_checkpoint(inputs)
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)
    config = tmp_path / "sweep.json"
    fields = dict(
        store=str(tmp_path / "store"),
        checkpoints=[str(inputs / "run")],
        spectra=["TV"],
        clips=[dict(data=str(inputs / "data"), per_spectrum=2)],
        methods=[
            dict(method="rise", options=dict(num_masks=[4, 6])),
            dict(method="gradcam", options=dict(layer=["stem_conv", "last_conv"])),
        ],
    )
    config.write_text(json.dumps(fields))
    cli.main(["sweep", str(config), "--dry-run"])
    assert "4 cells on 2 clips: 8 results, 0 done" in capsys.readouterr().out
    assert not (tmp_path / "store").exists()
    cli.main(["sweep", str(config)])
    printed = capsys.readouterr()
    assert "4 cells on 2 clips: 8 results" in printed.err
    heads, *rows = printed.out.split("\n\n")[0].splitlines()
    assert set(heads.split()) == {"method", "num_masks", "alignment", "layer", "clips", "probability"}
    told = {word for row in rows for word in row.split() if word in ("4", "6", "stem_conv", "last_conv")}
    assert (len(rows), told) == (4, {"4", "6", "stem_conv", "last_conv"})
    cli.main(["sweep", str(config), "--status"])
    every_cell = capsys.readouterr().out
    assert every_cell.count("2 of 2 clips") == 4
    assert every_cell.endswith(printed.out.split("\n\n")[1])
