"""Runs a script in processes of its own, joined by JAX over the loopback where they are several."""

import os
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
    jax.distributed.initialize(
        "127.0.0.1:{port}", num_processes={count}, process_id={number}, heartbeat_timeout_seconds={heartbeat}
    )
"""


def start(script, *, count=1, devices=1, heartbeat=100):
    """Starts `count` processes of `devices` CPU devices each; they keep compiled programs between runs."""
    port = free_port()
    starts = [
        _START.format(tests=str(TESTS), count=count, devices=devices, port=port, number=number, heartbeat=heartbeat)
        for number in range(count)
    ]
    return [launch([sys.executable, "-c", start + script]) for start in starts]


def launch(command, **variables):
    """Starts one command with the tests' settings."""
    kept = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    settings = {
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(TESTS.parent),
        "JAX_COMPILATION_CACHE_DIR": str(TESTS.parent / ".cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return subprocess.Popen(
        command, env=kept | settings | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
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


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
