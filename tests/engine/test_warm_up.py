"""Chunks as large as is fastest."""

import jax
import numpy as np
import pytest

import toys
from jaxsal import score_masks
from jaxsal.engine import chunks, warm_up
from jaxsal.engine.batch import prepare
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.warm_up import CALLS, WarmUp, masks_per_second

FAMILY = RiseMasks.draw(jax.random.key(0), 37, 0.4, (4, 6, 9), (2, 3, 3))
CLIP = np.random.default_rng(0).random((4, 6, 9, 3), np.float32)
RATES = {64: 100.0, 32: 150.0, 16: 120.0}
LEAST = 89_600
"""Passes of the shortest run whose warm-up is 2 % of it: two calls of eight chunks of 64, 32 and 16 masks."""


class Rates:
    """Masks per second by size, and the sizes that were asked for."""

    def __init__(self, rates=RATES):
        self.rates, self.asked = rates, []

    def __call__(self, size):
        self.asked.append(size)
        return self.rates[size]


def test_a_long_run_keeps_the_fastest_of_three_sizes_and_says_so_once():
    said, rates = [], Rates()
    network = WarmUp(1.0, said.append)
    assert [network.best(64, 10**6, rates, devices=1) for _ in range(2)] == [32, 32]
    assert network.best(16, 10**6, rates, devices=1) == 16
    assert rates.asked == [64, 32, 16]
    assert said == [
        "chunks of 32 masks a device are the fastest: 100 masks/s in chunks of 64, 150 masks/s in chunks of 32, "
        "120 masks/s in chunks of 16"
    ]


@pytest.mark.parametrize("devices", [1, 8])
def test_a_run_of_few_passes_has_no_warm_up(devices):
    rates = Rates()
    network = WarmUp(0.0, pytest.fail)
    assert network.best(64, LEAST * devices - 1, rates, devices=devices) == 64
    assert not rates.asked
    assert WarmUp(0.0, lambda line: None).best(64, LEAST * devices, rates, devices=devices) == 32
    assert network.best(1, 10**9, rates, devices=devices) == 1


def test_a_run_shorter_than_fifty_times_compiling_times_one_size_alone():
    """Two more programs of 1,000 s each are 200,000 masks at 100 masks/s, 2 % of ten million."""
    rates = Rates()
    network = WarmUp(1000.0, lambda line: None)
    assert [network.best(64, 10_000_000, rates, devices=1) for _ in range(2)] == [64, 64]
    assert rates.asked == [64]
    assert network.best(64, 10_000_000 + LEAST, rates, devices=1) == 32
    assert rates.asked == [64, 32, 16]


def test_the_last_call_is_timed():
    """Eight chunks of four masks in three seconds; those of compiling do not count."""
    readings = iter([0.0] * (CALLS - 1) + [100.0, 103.0])
    batch = prepare(toys.pooling_classifier(cells=(2, 2, 3)), [CLIP])
    assert masks_per_second(batch, FAMILY, chunk_size=4, clock=lambda: next(readings)) == pytest.approx(32 / 3)


@pytest.mark.usefixtures("no_shape_checks")
def test_scores_are_the_same_in_chunks_of_any_speed(monkeypatch, capsys):
    classifier, devices = toys.pooling_classifier(cells=(2, 2, 3)), jax.device_count()
    expected = score_masks(classifier, CLIP, FAMILY, chunk_size=5)

    def rate(batch, family, *, chunk_size, clock):
        if chunk_size == 64 * devices:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
        return 1 / chunk_size

    monkeypatch.setattr(chunks, "on_accelerator", lambda: True)
    sizes = chunks.ChunkSizes("auto")
    monkeypatch.setattr(chunks, "_automatic", lambda: sizes)
    monkeypatch.setattr(chunks, "masks_per_second", rate)
    monkeypatch.setattr(warm_up, "SHARE", 1e12)
    for _ in range(2):
        found = score_masks(classifier, CLIP, FAMILY, chunk_size="auto")
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("chunks of 16 masks a device are the fastest: 0 masks/s in ") for line in said] == [0, 1]
