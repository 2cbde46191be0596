"""Compiled programs on disk, each case in a process of its own since JAX reads the setting once."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import jax, jax.numpy as jnp
from jaxsal.compilation import keep_programs
folder = keep_programs()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((3, 3)))
print(folder, len(list(folder.glob("*-cache"))))
"""


@pytest.mark.parametrize("named", [False, True])
def test_programs_are_kept_in_the_users_or_the_named_folder(tmp_path, named):
    environment = dict(os.environ, XDG_CACHE_HOME=str(tmp_path / "cache"), JAX_PLATFORMS="cpu")
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    if named:
        environment["JAX_COMPILATION_CACHE_DIR"] = str(tmp_path / "named")
    printed = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    folder, count = printed.stdout.split()
    assert folder.startswith(str(tmp_path / ("named" if named else "cache/jaxsal/programs")))
    assert int(count) > 0
