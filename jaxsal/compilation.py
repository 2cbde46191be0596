"""Compiled programs kept between runs, so that a second start does not compile again."""

import platform
from pathlib import Path

import jax
import platformdirs


def keep_programs() -> Path:
    """Keeps compiled programs in the user's cache folder, in a part of its own for each machine.

    A folder that was set already, as by JAX_COMPILATION_CACHE_DIR, is left, and JAX_ENABLE_COMPILATION_CACHE=false
    switches it all off. Programs for a CPU hold instructions that another machine with the same home folder may lack,
    hence one part per machine.

    Returns:
      The folder in use.
    """
    folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if folder is None:
        folder = str(platformdirs.user_cache_path("jaxsal") / "programs" / platform.node())
        jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return Path(folder)
