"""Chunks as large as memory allows."""

from typing import NamedTuple

import jax
import numpy as np
import pytest

import toys
from jaxsal import deletion, score_masks
from jaxsal.engine import chunks, scoring
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.chunks import ChunkSizes
from jaxsal.engine.masks import DenseMasks
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import program_bytes

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
    needed, most = (program_bytes(batch, FAMILY, Baseline.of("zero"), chunk_size=size) for size in (4, 64))
    monkeypatch.setattr(chunks, "available_bytes", lambda: 1.3 * needed)
    second = next(64 // part for part in (2, 4, 8, 16) if most / part <= 0.8 * 1.3 * needed)  # a fifth stays free
    said = []
    sizes = ChunkSizes(64, per_device=True, say=said.append)
    assert sizes.run("rise", batch, room_for(100), family=FAMILY) == 4
    assert f"chunks of {second} masks a device instead of 64: 64 need " in said[0]
    assert any("chunks of 4 masks a device: " in line for line in said), said
    monkeypatch.setattr(chunks, "available_bytes", lambda: 1)
    with pytest.raises(MemoryError, match="`chunk_size` must fit into memory; got no room for one mask"):
        ChunkSizes(2, per_device=True, say=said.append).run("rise", batch, room_for(100), family=FAMILY)


def test_chunks_are_halved_where_memory_runs_out(batch):
    said = []
    sizes = ChunkSizes(8, say=said.append)
    assert sizes.run("sidu", batch, room_for(2)) == 2
    assert said[-1] == "chunks of 2 masks a device instead of 4: a device ran out of memory"
    assert sizes.run("sidu", batch, room_for(100)) == 2
    assert sizes.run("deletion", batch, room_for(100)) == 8
    with pytest.raises(MemoryError, match="`chunk_size` must fit into memory; got no room for one mask a device"):
        sizes.run("sidu", batch, room_for(0))


def test_few_masks_are_not_padded_to_whole_chunks(batch, monkeypatch):
    """40 masks on 8 devices are chunks of 5 on each, whatever was asked for."""
    monkeypatch.setattr(chunks, "device_mesh", lambda: Devices(size=8, is_multi_process=False))
    for most, expected in ((40, 40), (4000, 256), (None, 256)):
        assert ChunkSizes(32, per_device=True, most=most).run("sidu", batch, room_for(1000)) == expected


def test_processes_that_share_a_program_do_not_halve(batch, monkeypatch):
    monkeypatch.setattr(chunks, "device_mesh", lambda: Devices(size=2, is_multi_process=True))
    with pytest.raises(MemoryError, match="`chunk_size` must fit into the memory of every process; got none for 8"):
        ChunkSizes(8, per_device=True).run("sidu", batch, room_for(0))


RANKS = np.arange(4 * 6 * 9, dtype=np.float32).reshape(4, 6, 9)
METHODS = {
    "deletion": lambda network, clip, size: deletion(network, clip, RANKS, 0, num_steps=9, chunk_size=size).scores,
    "masks": lambda network, clip, size: score_masks(network, clip, FAMILY, chunk_size=size),
}
CLIP = np.random.default_rng(0).random((4, 6, 9, 3), np.float32)


@pytest.fixture
def accelerator(monkeypatch):
    """A simulated one with room for programs of some masks: called with what the compiler finds, and what fits."""
    score_chunks, seen = scoring.score_chunks, []
    monkeypatch.setattr(chunks, "on_accelerator", lambda: True)
    chunks._automatic.cache_clear()

    def make(*, free_bytes, masks_that_fit):
        def run(*arguments):
            size = arguments[5].shape[1] // chunks.device_mesh().size
            seen.append(size)
            if size > masks_that_fit:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
            return score_chunks(*arguments)

        run.lower = score_chunks.lower
        monkeypatch.setattr(scoring, "score_chunks", run)
        monkeypatch.setattr(chunks, "available_bytes", lambda: free_bytes)
        return seen

    yield make
    chunks._automatic.cache_clear()


@pytest.mark.parametrize("method", METHODS)
def test_an_automatic_chunk_that_does_not_fit_is_halved_and_changes_nothing(method, accelerator, capsys):
    classifier = toys.pooling_classifier(cells=(2, 2, 3))
    expected = METHODS[method](classifier, CLIP, 5)
    seen = accelerator(free_bytes=2**40, masks_that_fit=2)
    results = [METHODS[method](classifier, CLIP, "auto") for _ in range(2)]
    for result in results:
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    assert max(seen) > 2
    assert seen[-1] <= 2
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("chunks of 64 masks a device: ")
    assert said[-1].endswith("a device ran out of memory")
    assert len(said) == len(set(said))  # nothing is said again by the second call


def test_an_automatic_chunk_follows_the_memory_of_the_device(accelerator, batch, capsys):
    """The chunk is the largest that takes 0.8 of the memory: that of 16 masks a device, and a little more."""
    any_mask = DenseMasks(np.ones((1, 4, 6, 9), np.float32))
    needed = program_bytes(batch, any_mask, Baseline.of("zero"), chunk_size=16 * jax.device_count())
    seen = accelerator(free_bytes=1.05 * needed / 0.8, masks_that_fit=100)
    score_masks(toys.pooling_classifier(cells=(2, 2, 3)), CLIP, FAMILY, ids=np.arange(1024) % 37, chunk_size="auto")
    assert max(seen) == 16
    assert "masks a device instead of 64: 64 need " in capsys.readouterr().err


def test_an_automatic_chunk_on_a_cpu_is_16(monkeypatch):
    assert chunks.in_chunks("auto", "rise", prepare(toys.constant(), [CLIP]), lambda chunk_size: chunk_size) == 16


def test_a_chunk_size_is_a_number_or_auto():
    with pytest.raises(ValueError, match=r"`chunk_size` must be one of \('auto',\); got 'all'"):
        score_masks(toys.constant(), CLIP, FAMILY, chunk_size="all")
