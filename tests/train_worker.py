"""A process of its own that trains the tiny network, so that a test can kill it."""

import dataclasses
import sys

import jax

import runs
from jaxsal.training.train import train

OPTIONS = dataclasses.replace(runs.OPTIONS, num_steps=16, save_every=1)


def work(folder, cache):
    """Trains until it is done, saving after every step."""
    sys.stderr = open("/dev/null", "w")  # noqa: SIM115
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    train(runs.SPEC, OPTIONS, runs.loaded(), folder)
