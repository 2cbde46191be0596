"""Compiled programs kept between runs, so that a second start does not compile again."""

import contextlib
import hashlib
import os
import platform
import tempfile
from pathlib import Path

import jax
import platformdirs


def keep_programs() -> Path:
    """Keeps compiled programs in the user's cache folder, in a part of its own for each kind of processor.

    JAX_COMPILATION_CACHE_DIR sets another folder, and JAX_ENABLE_COMPILATION_CACHE=false switches the cache off.
    Programs for a CPU hold instructions that another machine with the same home folder may lack. The part is named
    after the processor, not after the machine, because containers have a new name at each start.

    Returns:
      The folder in use.
    """
    folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if folder is None:
        cache = platformdirs.user_cache_path("jaxsal")
        if not cache.is_absolute():  # nobody knows the user's home folder
            cache = Path(tempfile.gettempdir()) / f"jaxsal-{os.getuid()}"
        folder = str(cache / "programs" / processor())
        jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return Path(folder)


def processor() -> str:
    """The kind of processor: its architecture, and a hash of its name and of what it can do."""
    entries = {"name": platform.processor()}
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        first_core = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
        entries |= {name.strip(): " ".join(sorted(value.split())) for name, value in first_core.items()}
    wanted = ("name", "model name", "flags", "Features", "CPU implementer", "CPU part")
    digest = hashlib.sha256("|".join(entries.get(name, "") for name in wanted).encode()).hexdigest()
    return f"{platform.machine()}-{digest[:12]}"
