"""Sweeps that are killed, find damaged chunks, a full disk, or other devices and processes when they go on."""

import dataclasses
import errno
import multiprocessing
import random
import shutil
import time

import numpy as np
import pytest

import processes
import sweep_worker
import sweeps
from jaxsal.evaluation.sweep.merge import merge_stores
from jaxsal.evaluation.sweep.store import Store

pytestmark = pytest.mark.usefixtures("no_shape_checks")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    sweeps.make_recordings(folder)
    return folder


@pytest.fixture(scope="module")
def whole(inputs):
    """What a sweep holds that nothing disturbed, and its store."""
    from jaxtyping import config as checks

    checks.update("jaxtyping_disable", True)
    config = sweep_worker.survivor(inputs, "whole.zarr")
    sweeps.run(config)
    checks.update("jaxtyping_disable", False)
    return config.store, sweeps.contents(config.store)


def copy_of(store, folder):
    shutil.copytree(store, folder / "store.zarr")
    return folder / "store.zarr"


def test_killed_at_ten_moments(inputs, tmp_path):
    """SIGKILL, spread from the first write to the last while an old store is extended: it ends as if undisturbed."""
    old, store = tmp_path / "old.zarr", tmp_path / "store.zarr"
    sweeps.run(sweep_worker.start(inputs, str(old)))
    begun = num_files(old)
    shutil.copytree(old, store)
    sweeps.run(sweep_worker.everything(inputs, str(old)))
    undisturbed = num_files(old)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["jaxsal.evaluation.sweep.run", "jaxsal.training.checkpoint"])
    generator, killed = random.Random(3), 0
    for moment in np.linspace(begun, undisturbed, 12)[1:-1]:
        arguments = (str(inputs), str(store), str(tmp_path / "cache"))
        process = context.Process(target=sweep_worker.work, args=arguments)
        process.start()
        while process.is_alive() and num_files(store) < moment:
            time.sleep(0.004)
        process.join(generator.uniform(0.0, 0.01))
        killed += process.exitcode is None
        process.kill()
        process.join()
        assert process.exitcode in (0, -9)
    assert killed >= 9
    config = sweep_worker.everything(inputs, str(store))
    sweeps.run(config)
    sweeps.assert_same(sweeps.contents(store), sweeps.contents(old))
    assert sweeps.run_sweep(config, sweeps.toy_groups(config), verify=True).passes == 0


def num_files(folder):
    """How many files of arrays a store has, but for those that TensorStore has under way."""
    return sum(1 for path in folder.rglob("*") if "lock" not in path.name and path.is_file())


@pytest.mark.parametrize("damage", ["cut off", "one bit", "empty", "gone"])
@pytest.mark.parametrize(
    ("kind", "chunk"),
    [
        ("ledger", "logits/c/1/3/0"),
        ("ledger", "clip_logits/c/1/0"),
        ("ledger", "digest/c/1/0"),
        ("cell", "results/c/1/0"),
        ("cell", "digest/c/1/0"),
        ("cell", "saliency/c/1/0/0/0"),
    ],
)
def test_a_damaged_chunk_is_made_again(inputs, whole, tmp_path, kind, chunk, damage, capsys):
    """One alone, the rest being whole: what depends on it is done, and not to be trusted."""
    config = sweep_worker.survivor(inputs, "unused")
    config = dataclasses.replace(config, store=str(copy_of(whole[0], tmp_path)))
    groups = sweeps.toy_groups(config)
    cell = groups[0].cells[0]
    file = tmp_path / "store.zarr" / (cell.path if kind == "cell" else cell.ledger.path) / chunk
    content = bytearray(file.read_bytes())
    content[5] ^= 8
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"cut off": bytes(content[:9]), "one bit": bytes(content), "empty": b""}[damage])
    plan = sweeps.run_sweep(config, groups, verify="saliency" in chunk)
    assert plan.passes == 1 + 8 * (chunk.startswith("logits"))
    said = capsys.readouterr().err
    assert ("damaged scores are made again" in said) == (chunk.startswith("logits") and damage != "gone")
    sweeps.assert_same(sweeps.contents(config.store), whole[1])
    assert sweeps.run(config).passes == 0


def test_a_damaged_description(inputs, whole, tmp_path):
    """It says which file; without it, the store goes on."""
    config = dataclasses.replace(sweep_worker.survivor(inputs), store=str(copy_of(whole[0], tmp_path)))
    cell = sweeps.toy_groups(config)[0].cells[0]
    folder = f"the folder {cell.path}:"
    for path, place in (("", "that file:"), (cell.path, folder), (f"{cell.path}/saliency", folder)):
        file = tmp_path / "store.zarr" / path / "zarr.json"
        file.write_bytes(file.read_bytes()[:40])
        with pytest.raises(ValueError, match=f"`store` must have whole descriptions; got .*zarr.json. Remove {place}"):
            sweeps.run(config)
        if path:
            shutil.rmtree(tmp_path / "store.zarr" / cell.path)
        else:
            file.unlink()
        sweeps.run(config)
    sweeps.assert_same(sweeps.contents(config.store), whole[1])


def test_a_full_disk(inputs, whole, tmp_path, monkeypatch):
    config = dataclasses.replace(sweep_worker.survivor(inputs), store=str(tmp_path / "store.zarr"))
    writes, write = [], Store.write

    def full(self, path, index, values):
        writes.append(path)
        if len(writes) < 40:
            return write(self, path, index, values)

        def fail():
            raise OSError(errno.ENOSPC, "No space left on device")

        return self._guarded(fail, path)  # as one that was begun fails at the next

    monkeypatch.setattr(Store, "write", full)
    with pytest.raises(OSError, match="`store` must take what is written; got .*No space left.*goes on from there"):
        sweeps.run(config)
    monkeypatch.setattr(Store, "write", write)
    sweeps.run(config)
    sweeps.assert_same(sweeps.contents(config.store), whole[1])


def test_an_interrupted_merge(inputs, whole, tmp_path, monkeypatch):
    """Two machines without a common disk: one ran the first masks, the other all; a merge that stops is done again."""
    first = dataclasses.replace(sweep_worker.survivor(inputs, masks=(37,)), store=str(tmp_path / "first"))
    sweeps.run(first)
    config = dataclasses.replace(sweep_worker.survivor(inputs), store=str(tmp_path / "merged"))
    groups = sweeps.toy_groups(config)
    writes, write = [], Store.write

    def interrupted(self, path, index, values):
        writes.append(path)
        if len(writes) > 100:
            raise KeyboardInterrupt
        return write(self, path, index, values)

    monkeypatch.setattr(Store, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        merge_stores(config, [str(tmp_path / "first"), whole[0]], groups)
    monkeypatch.setattr(Store, "write", write)
    taken = merge_stores(config, [str(tmp_path / "first"), whole[0]], groups)
    assert 0 < taken["masks"] < 3 * 2 * 203
    sweeps.assert_same(sweeps.contents(config.store), whole[1])
    assert merge_stores(config, [whole[0]], groups) == dict(masks=0, results=0)


def test_merging_what_does_not_fit(inputs, whole, tmp_path):
    other = tmp_path / "data"
    shutil.copytree(inputs / "data", other)
    np.save(other / "IR" / "r0.npy", 255 - np.load(other / "IR" / "r0.npy"))
    config = sweep_worker.survivor(inputs, "unused")
    with pytest.raises(FileNotFoundError, match="`store` must hold a sweep; got .*none"):
        merge_stores(dataclasses.replace(config, store=str(tmp_path / "a")), [str(tmp_path / "none")], [])
    altered = copy_of(whole[0], tmp_path)
    path = next(iter(sweeps.toy_groups(config)[0].ledgers))
    store = Store(str(altered))
    store.write(f"{path}/digest", 0, np.arange(8, dtype=np.int32) + 1)
    store.settle()
    target = dataclasses.replace(config, store=whole[0])
    with pytest.raises(ValueError, match="`merge` must name stores of the same clips; got another r0"):
        merge_stores(target, [str(altered)], sweeps.toy_groups(target))


RUN = """
import pathlib, sweep_worker, sweeps
sweeps.run(sweep_worker.survivor(pathlib.Path({folder!r}), {store!r}, masks={masks}))
"""


def test_other_devices_and_processes_go_on(inputs, whole, tmp_path):
    """A part on one device, more on four, the rest by two processes, three clips between them."""
    for masks, settings in (((13,), dict(devices=1)), ((37,), dict(devices=4)), ((37, 203), dict(count=2))):
        script = RUN.format(folder=str(inputs), store=str(tmp_path / "store.zarr"), masks=masks)
        processes.finish(processes.start(script, **settings))
    found = sweeps.contents(tmp_path / "store.zarr")
    kept = {key: values for key, values in found.items() if key in whole[1]}
    sweeps.assert_same(kept, whole[1], rtol=2e-5)


def test_losing_one_of_two_processes(inputs, whole, tmp_path):
    """The other one stops with an error instead of waiting for ever; the same command goes on."""
    script = RUN.format(folder=str(inputs), store=str(tmp_path / "store.zarr"), masks=(37, 203))
    running = processes.start(script, count=2, heartbeat=5)
    deadline = time.monotonic() + 200
    while num_files(tmp_path / "store.zarr" / "ledgers") < 40 and time.monotonic() < deadline:
        time.sleep(0.05)
    running[1].kill()
    try:
        assert running[0].wait(timeout=200) != 0
    finally:
        processes.stop(running)
    sweeps.run(sweep_worker.survivor(inputs, str(tmp_path / "store.zarr")))
    sweeps.assert_same(sweeps.contents(tmp_path / "store.zarr"), whole[1], rtol=2e-5)
