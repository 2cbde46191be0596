"""Sweeps that are killed, find damage, a full disk, or other devices and processes when they go on."""

import dataclasses
import errno
import multiprocessing
import random
import shutil
import time

import pytest

import processes
import sweep_worker
import sweeps
from conftest import shape_checks_off
from jaxsal.evaluation.objects import Objects
from jaxsal.evaluation.parts import PRELUDE, Part, header_place
from jaxsal.evaluation.status import merge_stores
from jaxsal.evaluation.store import Store

pytestmark = pytest.mark.usefixtures("no_shape_checks")


@pytest.fixture(scope="module")
def whole(inputs):
    """What a sweep holds that nothing disturbed, and its store."""
    config = sweep_worker.survivor(inputs, "whole")
    with shape_checks_off():
        sweeps.run(config)
    return config.store, sweeps.contents(config.store)


def parts_of(store):
    return list((store / "parts").glob("*.part"))


@pytest.mark.process
def test_killed_at_four_moments(inputs, tmp_path):
    """SIGKILL, from the first commit to the last while an old store is extended: it ends as if undisturbed."""
    old, store = tmp_path / "old", tmp_path / "store"
    sweeps.run(sweep_worker.start(inputs, str(old)))
    shutil.copytree(old, store)
    sweeps.run(sweep_worker.everything(inputs, str(old)))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["jaxsal.evaluation.sweep", "jaxsal.training.checkpoint"])
    generator, killed = random.Random(3), 0
    for commits in (1, 4, 6, 5):
        arguments = (str(inputs), str(store), str(tmp_path / "cache"))
        moment = len(parts_of(store)) + commits
        process = context.Process(target=sweep_worker.work, args=arguments)
        process.start()
        while process.is_alive() and len(parts_of(store)) < moment:
            time.sleep(0.002)
        process.join(generator.uniform(0.0, 0.01))
        killed += process.exitcode is None
        process.kill()
        process.join()
        assert process.exitcode in (0, -9)
    assert killed >= 3
    config = sweep_worker.everything(inputs, str(store))
    sweeps.run(config)
    sweeps.assert_same(sweeps.contents(store), sweeps.contents(old), rtol=1e-6)
    assert sweeps.run(config, verify=True).passes == 0


def place_of(content, kind):
    """The bytes of the header, or of the last record of a kind, in the file of a part."""
    if kind == "header":
        return header_place(content[: PRELUDE.size])
    part = Part("", content[: PRELUDE.size], content[header_place(content[: PRELUDE.size])])
    rows = [row for row in range(len(part.whole)) if part.place(row)[0] == kind]
    return part.bytes_of(rows[-1])


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("header", "one bit"),
        ("header", "cut off"),
        ("scores", "one bit"),
        ("scores", "cut off"),
        ("result", "one bit"),
        ("part", "empty"),
        ("part", "gone"),
        ("store.json", "one bit"),
        ("store.json", "gone"),
    ],
)
def test_what_is_damaged_is_made_again(inputs, whole, tmp_path, kind, damage, capsys):
    shutil.copytree(whole[0], tmp_path / "store")
    (file,) = [tmp_path / "store" / "store.json"] if kind == "store.json" else parts_of(tmp_path / "store")
    content = bytearray(file.read_bytes())
    place = slice(30, 60) if kind in ("part", "store.json") else place_of(bytes(content), kind)
    content[place.start + 5] ^= 8
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(
            {"one bit": bytes(content), "cut off": bytes(content[: place.start + 5]), "empty": b""}[damage]
        )
    config = sweep_worker.survivor(inputs, tmp_path / "store")
    plan = sweeps.run(config, verify=True)
    assert (f" {file}" in capsys.readouterr().err) == (damage != "gone")
    assert (plan.passes > 0) == (kind in ("header", "scores", "part"))
    sweeps.assert_same(sweeps.contents(config.store), whole[1], rtol=1e-6)
    assert sweeps.run(config, verify=True).passes == 0
    assert Store(config.store).about() is not None


def test_a_full_disk(inputs, whole, tmp_path, monkeypatch):
    config = sweep_worker.survivor(inputs, tmp_path / "store")
    writes, writing = [], Objects.writing

    def full(self, key, content):
        writes.append(key)
        return writing(self, key, content) if len(writes) < 20 else fail

    def fail():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Objects, "writing", full)
    with pytest.raises(OSError, match="No space left on device"):
        sweeps.run(config)
    monkeypatch.undo()
    assert 0 < sweeps.run(config).masks_done < 3 * 2 * 203
    sweeps.assert_same(sweeps.contents(config.store), whole[1], rtol=1e-6)


def test_an_interrupted_merge_is_done_again(inputs, whole, tmp_path, monkeypatch):
    """Two machines without a common disk: one ran the first masks, the other all."""
    first = sweep_worker.survivor(inputs, tmp_path / "first", masks=(37,))
    sweeps.run(first)
    config = dataclasses.replace(first, store=str(tmp_path / "merged"))
    writes, write = [], Store._write

    def interrupted(self, key, content):
        if writes:
            raise KeyboardInterrupt
        writes.append(key)
        write(self, key, content)

    monkeypatch.setattr(Store, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        merge_stores(config, [first.store, whole[0]])
    monkeypatch.undo()
    assert merge_stores(config, [first.store, whole[0]]) == dict(masks=3 * 2 * (203 - 37), results=3 * 2)
    found = sweeps.contents(config.store)
    sweeps.assert_same({key: values for key, values in found.items() if key in whole[1]}, whole[1], rtol=1e-6)
    with pytest.raises(FileNotFoundError, match="`store` must hold results; got .*none"):
        merge_stores(config, [str(tmp_path / "none")])


RUN = """
import pathlib, sweep_worker, sweeps
sweeps.run(sweep_worker.survivor(pathlib.Path({folder!r}), {store!r}, masks={masks}))
"""


@pytest.mark.process
def test_other_devices_and_processes_go_on(inputs, whole, tmp_path):
    """A part on the one device of this process, the rest by two processes of two devices, three clips between them."""
    sweeps.run(sweep_worker.survivor(inputs, str(tmp_path / "store"), masks=(13,)))
    script = RUN.format(folder=str(inputs), store=str(tmp_path / "store"), masks=(37, 203))
    processes.finish(processes.start(script, count=2, devices=2))
    found = sweeps.contents(tmp_path / "store")
    sweeps.assert_same({key: values for key, values in found.items() if key in whole[1]}, whole[1], rtol=2e-5)


@pytest.mark.process
def test_losing_one_of_two_processes(inputs, whole, tmp_path):
    """The other one stops with an error instead of waiting for ever; the same command goes on."""
    script = RUN.format(folder=str(inputs), store=str(tmp_path / "store"), masks=(37, 203))
    running = processes.start(script, count=2, timeout=5)
    deadline = time.monotonic() + 200
    while len(parts_of(tmp_path / "store")) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    running[1].kill()
    try:
        assert running[0].wait(timeout=200) != 0
    finally:
        processes.stop(running)
    config = sweep_worker.survivor(inputs, str(tmp_path / "store"))
    assert sweeps.run(config).masks_done < 3 * 2 * 203
    sweeps.assert_same(sweeps.contents(config.store), whole[1], rtol=2e-5)
