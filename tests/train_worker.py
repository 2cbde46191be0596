"""Processes of their own that train the tiny network, so that a test can kill them or join them."""

import dataclasses
import json
import multiprocessing
import os
import signal
import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np

import runs
from jaxsal.core.processes import join_processes
from jaxsal.datasets.pipeline import stream_clips
from jaxsal.training import train as training
from jaxsal.training.train import train

OPTIONS = dataclasses.replace(runs.OPTIONS, num_steps=16, save_every=1)
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["train_worker", "jaxsal.training.checkpoint"])


def start(work, *arguments):
    """Starts a function of this file; what it imports was imported once for all of them."""
    folder = jax.config.jax_compilation_cache_dir
    process = CONTEXT.Process(target=_run, args=(folder, work, *map(str, arguments)))
    process.start()
    return process


def _run(cache, work, *arguments):
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    work(*arguments)


def save_every_step(folder):
    """Trains until it is done."""
    sys.stderr = open("/dev/null", "w")  # noqa: SIM115
    train(runs.SPEC, OPTIONS, runs.loaded(), folder)


def end_on_two_devices(folder):
    """Kills itself when the fourth batch is asked for."""
    jax.config.update("jax_num_cpu_devices", 2)
    training.training_batches = partial(_three_batches, lambda: os.kill(os.getpid(), signal.SIGKILL))
    train(runs.SPEC, runs.OPTIONS, runs.loaded(), folder)


def train_in_two_processes(folder, number, port):
    """Is interrupted when the fourth batch is asked for, goes on, and writes weights and the clips that it read."""
    os.environ |= dict(JAX_COORDINATOR_ADDRESS=f"127.0.0.1:{port}", JAX_NUM_PROCESSES="2", JAX_PROCESS_ID=number)
    jax.config.update("jax_num_cpu_devices", 1)
    join_processes()
    read = []

    def load(record):
        read.append(record.name)
        return record.load()

    clip_set = runs.clip_set().select(split="train")
    records = tuple(dataclasses.replace(record, load=partial(load, record)) for record in clip_set.records)
    clip_set = dataclasses.replace(clip_set, records=records)
    clips = stream_clips(clip_set, size=runs.SPEC.size, sampler=runs.SPEC.sampler, num_threads=1)
    training.training_batches = partial(_three_batches, _interrupt)
    try:
        train(runs.SPEC, runs.OPTIONS, clips, folder)
    except KeyboardInterrupt:
        training.training_batches = _batches
    trained = train(runs.SPEC, runs.OPTIONS, clips, folder)
    np.savez(Path(folder) / f"weights-{number}.npz", *jax.tree.leaves(trained.variables))
    (Path(folder) / f"read-{number}.json").write_text(json.dumps(read))


_batches = training.training_batches


def _interrupt():
    raise KeyboardInterrupt  # a signal would be ignored where the tests run in the background


def _three_batches(end, clips, key, steps, batch_size, rows):
    yield from _batches(clips, key, range(3), batch_size, rows=rows)
    end()
