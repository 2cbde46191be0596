"""Compiled programs kept between runs, so that a second start does not compile again."""

import contextlib
import hashlib
import importlib
import os
import platform
import tempfile
import time
import zlib
from pathlib import Path

import jax
import platformdirs

_CHECKED = ".jaxsal-checked"
"""A file in the folder of programs whose time says up to when they were looked at."""
_ZSTD = b"\x28\xb5\x2f\xfd"


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
    with contextlib.suppress(OSError, ImportError):  # a folder that cannot be written to, a packer that has gone
        remove_cut_programs(Path(folder))
    return Path(folder)


def remove_cut_programs(folder: Path) -> None:
    """Removes programs that a full disk or a kill cut off since the last start: JAX neither takes nor replaces them.

    JAX packs programs by zlib, or by zstd where that is installed; both know where a program ends.
    """
    marker = folder / _CHECKED
    since = marker.stat().st_mtime if marker.exists() else time.time()
    marker.touch()
    with os.scandir(folder) as entries:
        recent = [e.path for e in entries if e.name.endswith("-cache") and e.stat().st_mtime >= since - 1]
    for path in map(Path, recent):
        with contextlib.suppress(FileNotFoundError):  # another process has removed it
            if _is_cut(path.read_bytes()):
                path.unlink()


def _is_cut(packed: bytes) -> bool:
    unpack, error = zlib.decompress, zlib.error
    if packed.startswith(_ZSTD):
        zstandard = importlib.import_module("zstandard")
        unpack, error = zstandard.ZstdDecompressor().decompress, zstandard.ZstdError
    try:
        unpack(packed)
    except error:
        return True
    return False


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
