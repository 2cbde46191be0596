"""Compiled programs on disk; JAX reads the setting once, so what it keeps is looked at in a process of its own."""

import os
import re
import subprocess
import sys
import zlib

import jax
import pytest

from jaxsal.commands.cli import main
from jaxsal.commands.demo import Demo
from jaxsal.commands.verb import Output
from jaxsal.core import compilation
from jaxsal.core.compilation import keep_programs, processor, remove_cut_programs

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


@pytest.mark.process
def test_the_next_process_takes_programs_from_the_users_folder(tmp_path):
    environment = dict(os.environ, XDG_CACHE_HOME=str(tmp_path), JAX_PLATFORMS="cpu")
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    first, second = (
        subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    )
    folder, count, hits = first
    assert folder == str(tmp_path / "jaxsal" / "programs" / processor())
    assert int(count) > int(hits) == 0
    assert second == [folder, count, count]


def test_a_folder_that_is_set_already_stays():
    folder = jax.config.jax_compilation_cache_dir
    assert folder
    assert str(keep_programs()) == folder == jax.config.jax_compilation_cache_dir


def test_programs_that_a_full_disk_cut_off_go_at_the_next_start(tmp_path):
    """Those that came since the last start; JAX would compile them each time, for it never writes over one."""
    remove_cut_programs(tmp_path)
    program = zlib.compress(os.urandom(999))
    for name, content in (("whole", program), ("cut", program[:-1]), ("empty", b"")):
        (tmp_path / f"{name}-cache").write_bytes(content)
    (tmp_path / "old-cache").write_bytes(b"")
    os.utime(tmp_path / "old-cache", (0, 0))
    remove_cut_programs(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*-cache")) == ["old-cache", "whole-cache"]


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
