"""Compiled programs kept between runs, so that a second start does not compile again."""

import contextlib
import hashlib
import platform
from pathlib import Path

import jax
import platformdirs


def keep_programs() -> Path:
    """Keeps compiled programs in the user's cache folder, in a part of its own for each kind of processor.

    A folder that was set already, as by JAX_COMPILATION_CACHE_DIR, is left, and JAX_ENABLE_COMPILATION_CACHE=false
    switches it all off. Programs for a CPU hold instructions that another machine with the same home folder may lack,
    hence one part per kind of processor, whatever the machine is called: containers have a new name at each start.

    Returns:
      The folder in use.
    """
    folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if folder is None:
        folder = str(platformdirs.user_cache_path("jaxsal") / "programs" / processor())
        jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return Path(folder)


def processor() -> str:
    """The kind of processor: its architecture, and a hash of its name and of what it can do."""
    described = {"name": platform.processor()}
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        found = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)  # of the first core
        described |= {name.strip(): " ".join(sorted(value.split())) for name, value in found.items()}
    wanted = ("name", "model name", "flags", "Features", "CPU implementer", "CPU part")
    digest = hashlib.sha256("|".join(described.get(name, "") for name in wanted).encode()).hexdigest()
    return f"{platform.machine()}-{digest[:12]}"
