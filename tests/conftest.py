"""Settings of every test: checks of shapes on, strict type promotion, programs compiled fast and kept between runs."""

import os
from contextlib import contextmanager
from pathlib import Path

import jax
import jaxtyping
import platformdirs
import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("classifier.py", "core", "engine", "saliency", "metrics", "models", "training")
SHAPED = [
    file
    for room in ROOMS
    for file in [ROOT / "jaxsal" / room, *(ROOT / "jaxsal" / room).rglob("*.py")]
    if file.suffix == ".py" and "from jaxtyping import" in file.read_text()
]
"""The files that compute with arrays; what the others could err in, mypy finds without a check at every call."""
_hook = jaxtyping.install_import_hook(
    [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in SHAPED], "typecheck.checked"
)

# Programs of tests run for less time than LLVM takes to make them fast: no optimisation, and the emitters of jaxlib
# 0.10 that compile a network's gradient in a third of the time. With its newer ones a gradient of PAN's pooling was
# infinite at level 0, but not at level 1, which other versions get.
FASTEST = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
os.environ["XLA_FLAGS"] = FASTEST if jax.__version_info__ < (0, 11) else "--xla_backend_optimization_level=1"
MAPPINGS, MANY = Path("/proc/self/maps"), 20_000
CACHE = platformdirs.user_cache_path("jaxsal") / "tests"
"""Of compiled programs, shared by all copies of the project on a machine."""
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(autouse=True, scope="module")
def programs_go_when_they_are_many():
    """Linux lets a process have 65,530 mappings of memory; with the programs of all tests it would run out."""
    yield
    if MAPPINGS.exists() and MAPPINGS.read_bytes().count(b"\n") > MANY:
        jax.clear_caches()


@contextmanager
def shape_checks_off():
    """Inside, the annotations' checks are off."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def no_shape_checks():
    """Switches the annotations' checks off, so that a test meets the message a user would."""
    with shape_checks_off():
        yield


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    """The folder and the last checkpoint of six steps of the tiny network; tests copy the folder to change it."""
    import runs
    from jaxsal.training.train import train

    folder = tmp_path_factory.mktemp("trained")
    return folder, train(runs.SPEC, runs.OPTIONS, runs.loaded(), folder)


@pytest.fixture
def passes(monkeypatch):
    """A list that grows by the forward passes that runs make, as the runner counts them."""
    from jaxsal.evaluation.progress import Progress

    counted, add = [], Progress.add

    def spy(self, count):
        counted.append(count)
        add(self, count)

    monkeypatch.setattr(Progress, "add", spy)
    return counted
