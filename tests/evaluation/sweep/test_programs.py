from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import score_masks
from jaxsal.engine.masks import RiseMasks
from jaxsal.engine.padded_masks import common_padding, pad_masks
from jaxsal.evaluation.sweep import programs
from jaxsal.evaluation.sweep.programs import Meter, Scorer

pytestmark = pytest.mark.usefixtures("no_shape_checks")

CLIP = jax.random.uniform(jax.random.key(1), (4, 6, 9, 3))
CLASSIFIER = toys.pooling_classifier(cells=(2, 2, 3))
BLACK = jnp.zeros(3)
IDS = np.arange(37, dtype=np.int32)


def family(grid_shape=(2, 3, 3), keep_prob=0.4):
    return RiseMasks(jax.random.key(0), 37, keep_prob, (4, 6, 9), grid_shape, "mirror", "own")


def test_other_grids_counts_and_probabilities_run_one_program():
    families = [family(), family((1, 5, 4), 0.3), family((4, 2, 2))]
    padding, said = common_padding(families), []
    meter, scorer = Meter(), Scorer(6, say=said.append)
    found = {
        (number, count): scorer(CLASSIFIER, CLIP, pad_masks(masks, 4, padding), IDS[:count], BLACK)
        for number, masks in enumerate(families)
        for count in (37, 5)
    }
    meter.close()
    assert meter.scoring_programs == 1
    assert len(said) == 1
    for (number, count), scores in found.items():
        expected = score_masks(CLASSIFIER, CLIP, families[number], ids=IDS[:count], baseline="zero")
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


def test_chunks_shrink_to_the_memory_there_is(monkeypatch):
    needed = programs.program_bytes(CLASSIFIER, CLIP, family(), BLACK, chunk_size=4)
    monkeypatch.setattr(programs, "available_bytes", lambda: 1.3 * needed)
    said = []
    found = Scorer(64, say=said.append)(CLASSIFIER, CLIP, family(), IDS, BLACK)
    assert any("chunks of 4 masks a device: " in line for line in said), said
    assert "chunks of 32 masks a device instead of 64: 64 need " in said[0]
    np.testing.assert_allclose(found, score_masks(CLASSIFIER, CLIP, family(), baseline="zero"), rtol=1e-5, atol=1e-6)


def test_chunks_are_halved_where_memory_runs_out(monkeypatch):
    sizes, run = [], programs.score_ids

    def limited(*arguments, chunk_size, **options):
        sizes.append(chunk_size)
        if chunk_size > 8:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
        return run(*arguments, chunk_size=chunk_size, **options)

    monkeypatch.setattr(programs, "score_ids", limited)
    said = []
    scorer = Scorer(32, say=said.append)
    for _ in range(2):
        found = scorer(CLASSIFIER, CLIP, family(), IDS, BLACK)
    assert sizes == [32, 16, 8, 8]
    assert "chunks of 8 masks a device instead of 16: a device ran out of memory" in said
    np.testing.assert_allclose(found, score_masks(CLASSIFIER, CLIP, family(), baseline="zero"), rtol=1e-5, atol=1e-6)


def test_no_room_at_all(monkeypatch):
    monkeypatch.setattr(programs, "available_bytes", lambda: 1)
    with pytest.raises(MemoryError, match="`chunk_size` must fit into memory; got no room for one mask"):
        Scorer(2, say=lambda line: None)(CLASSIFIER, CLIP, family(), IDS, BLACK)


def test_few_masks_are_not_padded_to_whole_chunks(monkeypatch):
    """40 masks on 8 devices are chunks of 5 on each, whatever was asked for."""
    sizes = []
    monkeypatch.setattr(programs, "score_ids", lambda *_, chunk_size, **options: sizes.append(chunk_size))
    monkeypatch.setattr(programs, "program_bytes", lambda *_, **options: 1)
    monkeypatch.setattr(programs, "device_mesh", lambda: Devices(size=8, is_multi_process=False))
    Scorer(32, most=40, say=lambda line: None)(CLASSIFIER, CLIP, family(), IDS, BLACK)
    Scorer(32, most=4000, say=lambda line: None)(CLASSIFIER, CLIP, family(), IDS, BLACK)
    assert sizes == [40, 256]


class Devices(NamedTuple):
    """What is read of a mesh."""

    size: int
    is_multi_process: bool


def room_for(most):
    """Something that takes as many masks at once as it is given, up to so many."""

    def run(chunk_size):
        if chunk_size > most:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
        return chunk_size

    return run


def test_other_work_is_halved_too():
    said, devices = [], jax.device_count()
    scorer = Scorer(8, say=said.append)
    assert scorer.run("sidu", CLIP, room_for(2 * devices)) == 2 * devices
    assert len(said) == 2
    assert scorer.run("sidu", CLIP, room_for(100)) == 2 * devices
    assert scorer.run("deletion", CLIP, room_for(100)) == 8 * devices
    with pytest.raises(MemoryError, match="`chunk_size` must fit into memory; got no room for one mask a device"):
        scorer.run("sidu", CLIP, room_for(0))


def test_processes_that_share_a_program_do_not_halve(monkeypatch):
    monkeypatch.setattr(programs, "device_mesh", lambda: Devices(size=2, is_multi_process=True))
    with pytest.raises(MemoryError, match="`chunk_size` must fit into the memory of every process; got none for 8"):
        Scorer(8, say=lambda line: None).run("sidu", CLIP, room_for(0))
