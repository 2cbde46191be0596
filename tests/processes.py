"""Runs a script in processes of its own, joined by JAX over the loopback where they are several."""

import os
import random
import socket
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
_START = """
import sys
sys.path.insert(0, {tests!r})
import jax
jax.config.update("jax_num_cpu_devices", {devices})
if {count} > 1:
    from jaxsal.core.processes import join_processes
    join_processes(timeout_seconds={timeout})
"""
_COMMAND = """
import sys
sys.path.insert(0, {tests!r})
import runs
from jaxsal.commands.cli import main
runs.NETWORKS["resnet3d18"] = runs.NETWORKS["tiny"]
{before}
main()
"""


def start(script, *, count=1, devices=1, timeout=30):
    """Starts `count` processes of `devices` CPU devices each; they keep compiled programs between runs."""
    port = free_port()
    begin = _START.format(tests=str(TESTS), count=count, devices=devices, timeout=timeout)
    given = [
        dict(JAX_COORDINATOR_ADDRESS=f"127.0.0.1:{port}", JAX_NUM_PROCESSES=str(count), JAX_PROCESS_ID=str(number))
        for number in range(count)
    ]
    return [launch([sys.executable, "-c", begin + script], **(names if count > 1 else {})) for names in given]


def launch(command, **variables):
    """Starts one command with the tests' settings."""
    settings = {
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(TESTS.parent),
        "JAX_COMPILATION_CACHE_DIR": str(TESTS.parent / ".cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return subprocess.Popen(
        command, env=os.environ | settings | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(processes, *, timeout=500):
    """Waits for all of them; returns what each printed."""
    printed = []
    try:
        for process in processes:
            output, errors = process.communicate(timeout=timeout)
            assert process.returncode == 0, errors[-3000:]
            printed.append(output)
    finally:
        stop(processes)
    return printed


def stop(processes):
    """Ends those that still run, without a chance to tidy up."""
    for process in processes:
        process.kill()
        process.communicate()


def launch_as_slurm_would(words, *, before="", count=2):
    """Starts `jaxsal WORDS` as the tasks of one SLURM job on this machine; a new network is the tiny one."""
    job = random.randrange(4096)  # JAX derives the port from it
    shared = dict(SLURM_JOB_ID=str(job), SLURM_STEP_NODELIST="127.0.0.1", SLURM_NTASKS=str(count))
    shared |= dict(SLURM_STEP_NUM_TASKS=str(count), SLURM_STEP_NUM_NODES="1", JAX_NUM_CPU_DEVICES="1")
    return [
        launch_words(words, before, **shared, SLURM_PROCID=str(task), SLURM_LOCALID=str(task)) for task in range(count)
    ]


def launch_words(words, before="", **variables):
    """Starts `jaxsal WORDS`, some lines of Python before it; a new network is the tiny one."""
    script = _COMMAND.format(tests=str(TESTS), before=before)
    return launch([sys.executable, "-c", script, *map(str, words)], **variables)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
