"""Compiled programs on disk; what JAX keeps is looked at in a process of its own, since it reads the setting once."""

import os
import re
import subprocess
import sys

import pytest

from jaxsal.commands.cli import main
from jaxsal.commands.demo import Demo
from jaxsal.commands.output import Output
from jaxsal.core import compilation
from jaxsal.core.compilation import processor

SCRIPT = """
import jax, jax.monitoring, jax.numpy as jnp
from jaxsal.core.compilation import keep_programs
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
folder = keep_programs()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((3, 3)))
print(folder, len(list(folder.glob("*-cache"))), events.count("/jax/compilation_cache/cache_hits"))
"""


@pytest.mark.parametrize("named", [False, True])
def test_programs_are_kept_in_the_users_or_the_named_folder(tmp_path, named):
    """And the next process takes them from there."""
    environment = dict(os.environ, XDG_CACHE_HOME=str(tmp_path / "cache"), JAX_PLATFORMS="cpu")
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    if named:
        environment["JAX_COMPILATION_CACHE_DIR"] = str(tmp_path / "named")
    command = [sys.executable, "-c", SCRIPT]
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    folder, count, hits = first
    assert folder.startswith(str(tmp_path / ("named" if named else "cache/jaxsal/programs")))
    assert int(count) > int(hits) == 0
    assert second == [folder, count, count]


def test_the_folder_is_of_the_processor_not_of_the_machines_name(monkeypatch):
    here = processor()
    monkeypatch.setattr("platform.node", lambda: "another-container")
    assert processor() == here
    assert re.fullmatch(r"\w+-[0-9a-f]{12}", here)


@pytest.mark.parametrize(("order", "same"), [("avx2 sse fma", True), ("avx2 sse fma avx512f", False)])
def test_processors_that_can_do_other_things_are_told_apart(monkeypatch, order, same):
    def described(flags):
        monkeypatch.setattr("pathlib.Path.read_text", lambda self: f"model name\t: A\nflags\t\t: {flags}\n\n")
        return processor()

    assert (described("sse fma avx2") == described(order)) == same


@pytest.mark.parametrize(("switch", "kept"), [([], True), (["--no-cache"], False)])
def test_no_cache_sets_no_folder(monkeypatch, capsys, switch, kept):
    """A verb that does nothing, run with and without the switch; JAX's folder is that of the tests otherwise."""
    folders = []
    monkeypatch.setattr(compilation, "keep_programs", lambda: folders.append("set"))
    monkeypatch.setattr("jaxsal.core.devices.use_all_cores", lambda: None)
    monkeypatch.setattr(Demo, "run", lambda self: Output("done", {}))
    main(["demo", *switch])
    assert (folders == ["set"]) == kept
    assert capsys.readouterr().out == "done\n"
