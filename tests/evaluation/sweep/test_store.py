import dataclasses
import threading

import numpy as np
import pytest

import sweeps
from jaxsal.evaluation.sweep.config import MethodGrid
from jaxsal.evaluation.sweep.store import DamagedError, Store
from jaxsal.sweep import open_results

pytestmark = pytest.mark.usefixtures("no_shape_checks")


def test_a_sweep_in_memory(tmp_path):
    """Any store that TensorStore knows, here without a disk."""
    sweeps.make_recordings(tmp_path)
    config = sweeps.config(tmp_path, methods=(MethodGrid("gradcam"),))
    config = dataclasses.replace(config, store="memory://sweep")
    assert sweeps.run(config).passes == 6
    assert sweeps.run(config).passes == 0
    assert len(open_results("memory://sweep").rows) == 3


def test_of_two_jobs_none_undoes_what_the_other_wrote(tmp_path):
    mine, theirs, raced = Store(str(tmp_path), create=True), Store(str(tmp_path), create=True), []

    def change(before):
        if not raced:
            raced.append(theirs.update_group("cells/a", lambda _: {"clips": ["theirs"]}))
        return {"clips": [*(before or {"clips": []})["clips"], "mine"]}

    assert mine.update_group("cells/a", change) == {"clips": ["theirs", "mine"]}
    assert theirs.attributes("cells/a") == {"clips": ["theirs", "mine"]}


def test_of_two_jobs_none_shortens_what_the_other_lengthened(tmp_path, monkeypatch):
    mine, theirs = Store(str(tmp_path), create=True), Store(str(tmp_path), create=True)
    has, seen = Store.has, []
    theirs.make_array("a", (3, 2), (1, 2), ("clip", "class"))
    monkeypatch.setattr(Store, "has", lambda self, path: bool(seen.append(path)) or (len(seen) > 1 and has(self, path)))
    mine.make_array("a", (4, 2), (1, 2), ("clip", "class"))  # which it thinks is new
    assert mine.shape("a") == (4, 2)
    stale, opened = mine._open("a"), mine._open
    theirs.make_array("a", (8, 2), (1, 2), ("clip", "class"))
    monkeypatch.setattr(mine, "_open", lambda path: opened(path) if seen.append(path) or len(seen) > 5 else stale)
    mine.make_array("a", (6, 2), (1, 2), ("clip", "class"))  # which it thinks has four rows
    assert Store(str(tmp_path), create=True).shape("a") == (8, 2)


def test_writes_keep_their_order_and_do_not_wait(tmp_path, monkeypatch):
    """The second begins when the first is on the disk; the caller goes on meanwhile."""
    store, log = Store(str(tmp_path), create=True), []

    class Slow:
        def __init__(self, name):
            self.name, self.done, self.commit = name, threading.Event(), self

        def force(self):
            log.append(f"begin {self.name}")

        def result(self):
            log.append(f"end {self.name}")

    class Array:
        def __getitem__(self, index):
            self.index = index
            return self

        def write(self, values):
            return Slow(self.index)

    monkeypatch.setattr(store, "_open", lambda path: Array())
    store.write("a", 0, 1.0)
    log.append("next")
    store.write("a", 1, 1.0)
    store.settle()
    store.settle()
    assert log == ["begin 0", "next", "end 0", "begin 1", "end 1"]


def test_values_may_change_once_a_write_has_begun(tmp_path):
    store = Store(str(tmp_path), create=True)
    store.make_array("a", (1, 100_000), (1, 100_000), ("clip", "class"))
    values = np.ones(100_000, np.float32)
    store.write("a", 0, values)
    values[:] = 2
    store.settle()
    assert (store.read("a", 0) == 1).all()


def test_names_along_an_axis_grow(tmp_path):
    zarr = pytest.importorskip("zarr")
    store = Store(str(tmp_path), create=True)
    store.update_group("g", lambda before: {})
    names = [f"clip {number} ü" for number in range(1500)]
    for count in (3, 1030, 1500):
        store.write_names("g/clip", names[:count])
        assert zarr.open(str(tmp_path / "g"), mode="r")["clip"][:].tolist() == names[:count]


def test_what_cannot_be_read_for_another_reason_is_not_damage(tmp_path, monkeypatch):
    store = Store(str(tmp_path), create=True)

    def denied(path):
        raise ValueError("PERMISSION_DENIED: Error reading local file")

    monkeypatch.setattr(store, "_open", denied)
    with pytest.raises(OSError, match="`store` must be readable; got PERMISSION_DENIED: Error reading local file at "):
        store.read("a", 0)
    monkeypatch.undo()
    with pytest.raises(DamagedError, match="`store` must have whole descriptions; got NOT_FOUND"):
        store.read("a", 0)
