"""Chunks as large as memory allows."""

from typing import NamedTuple

import jax
import numpy as np
import pytest

import toys
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import program_bytes
from jaxsal.evaluation import memory
from jaxsal.evaluation.memory import ChunkSizes

pytestmark = pytest.mark.usefixtures("no_shape_checks")
FAMILY = RiseMasks.draw(jax.random.key(0), 37, 0.4, (4, 6, 9), (2, 3, 3))


@pytest.fixture(scope="module")
def batch():
    return prepare(toys.pooling_classifier(cells=(2, 2, 3)), [np.ones((4, 6, 9, 3), np.float32)])


def room_for(most):
    """Something that takes as many masks at once as it is given, up to so many."""

    def run(chunk_size):
        if chunk_size > most:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
        return chunk_size

    return run


class Devices(NamedTuple):
    """What is read of a mesh."""

    size: int
    is_multi_process: bool


def test_chunks_shrink_to_the_memory_there_is(batch, monkeypatch):
    needed = program_bytes(batch, FAMILY, Baseline.of("zero"), chunk_size=4)
    monkeypatch.setattr(memory, "available_bytes", lambda: 1.3 * needed)
    said = []
    chunks = ChunkSizes(64, per_device=True, say=said.append)
    assert chunks.run("rise", batch, room_for(100), family=FAMILY) == 4
    assert "chunks of 32 masks a device instead of 64: 64 need " in said[0]
    assert any("chunks of 4 masks a device: " in line for line in said), said
    monkeypatch.setattr(memory, "available_bytes", lambda: 1)
    with pytest.raises(MemoryError, match="`chunk_size` must fit into memory; got no room for one mask"):
        ChunkSizes(2, per_device=True, say=said.append).run("rise", batch, room_for(100), family=FAMILY)


def test_chunks_are_halved_where_memory_runs_out(batch):
    said = []
    chunks = ChunkSizes(8, say=said.append)
    assert chunks.run("sidu", batch, room_for(2)) == 2
    assert said[-1] == "chunks of 2 masks a device instead of 4: a device ran out of memory"
    assert chunks.run("sidu", batch, room_for(100)) == 2
    assert chunks.run("deletion", batch, room_for(100)) == 8
    with pytest.raises(MemoryError, match="`chunk_size` must fit into memory; got no room for one mask a device"):
        chunks.run("sidu", batch, room_for(0))


def test_few_masks_are_not_padded_to_whole_chunks(batch, monkeypatch):
    """40 masks on 8 devices are chunks of 5 on each, whatever was asked for."""
    monkeypatch.setattr(memory, "device_mesh", lambda: Devices(size=8, is_multi_process=False))
    for most, expected in ((40, 40), (4000, 256), (None, 256)):
        assert ChunkSizes(32, per_device=True, most=most).run("sidu", batch, room_for(1000)) == expected


def test_processes_that_share_a_program_do_not_halve(batch, monkeypatch):
    monkeypatch.setattr(memory, "device_mesh", lambda: Devices(size=2, is_multi_process=True))
    with pytest.raises(MemoryError, match="`chunk_size` must fit into the memory of every process; got none for 8"):
        ChunkSizes(8, per_device=True).run("sidu", batch, room_for(0))
