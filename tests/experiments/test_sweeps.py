"""The scripts that plan sweeps past this machine."""

import dataclasses
import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

pytestmark = [pytest.mark.bench, pytest.mark.usefixtures("no_shape_checks")]
SCRIPTS = Path(__file__).parents[2] / "experiments" / "sweeps"


def script(name):
    found = importlib.util.spec_from_file_location(f"sweeps_{name}", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


cost = script("cost")
SMALL = cost.Config(num_masks=1000, num_clips=24, masks_per_commit=100, chunk_per_device=5, decode_seconds=2.0)


def test_a_sweep_without_spread_takes_what_its_parts_take():
    """24 clips on two processes of eight devices: twelve each, none together; ten commits a clip, 40 masks a chunk."""
    config = dataclasses.replace(SMALL, spread=0.0)
    seconds = cost.simulate(config, 0.8, 16, np.random.default_rng(0))
    np.testing.assert_allclose(seconds, 12 * (2.0 + 10 * 0.05 + 1.2 * 1000 * 0.8 / 8))


def test_every_commit_has_a_time_of_its_own():
    """The spread of a sum of commits shrinks as the root of their number; the mean stays."""
    config = dataclasses.replace(SMALL, num_clips=1, decode_seconds=0.0, write_seconds=1.0, spread=0.5)
    found = [cost.simulate(config, 0.0, 8, np.random.default_rng(seed)) for seed in range(400)]
    single = np.sqrt(np.expm1(0.5**2))
    np.testing.assert_allclose(np.mean(found), 10, rtol=5 * single / np.sqrt(10 * 400))
    np.testing.assert_allclose(np.std(found), single * np.sqrt(10), rtol=0.2)


def test_a_mask_takes_the_longer_of_arithmetic_and_memory():
    config = dataclasses.replace(SMALL, flops_per_second=1e12, bytes_per_mask=2e9, bytes_per_second=1e12)
    assert cost.seconds_of_mask(config, 1e9) == 2e-3
    assert cost.seconds_of_mask(config, 5e9) == 5e-3


def test_writing_is_measured():
    assert 0 < cost.write_seconds_here(dataclasses.replace(SMALL, masks_per_commit=10), commits=3) < 10


def test_the_program_for_a_tpu_without_one():
    """Only where libtpu is installed: a network of width 2 for the eight chips of a v5e."""
    pytest.importorskip("libtpu")
    platforms = jax.config.jax_platforms
    tpu = script("tpu")
    try:
        found = tpu.report(tpu.Config(width=2, num_frames=4, crop=16, masks_per_chip=2, grid_shape=(2, 4, 4)))
    finally:
        jax.config.update("jax_platforms", platforms)
    assert found["chips"].endswith("x 8")
    assert found["gflop_per_mask"] > 0
    assert found["collectives"] == {}
