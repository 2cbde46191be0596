"""A process of its own that runs a sweep of the toy, so that a test can kill it."""

import pathlib
import sys

import sweeps


def work(folder, store, cache):
    """Runs the sweep of `everything`; a kill can spoil only the test's own folder of compiled programs."""
    import jax

    sys.stderr = open("/dev/null", "w")  # noqa: SIM115
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    sweeps.run(everything(pathlib.Path(folder), store))


def survivor(folder, store="store", masks=(37, 203)):
    """RISE alone."""
    grid = sweeps.MethodGrid("rise", options={"num_masks": list(masks), "grid_shape": [[2, 3, 3], [1, 4, 2]]})
    return sweeps.config(folder, store, methods=(grid,))


def everything(folder, store="store"):
    """Every method and curves, on more clips; it extends what `start` began."""
    rise = sweeps.MethodGrid("rise", options={"num_masks": [37, 101]})
    methods = (rise, sweeps.MethodGrid("sidu"), sweeps.MethodGrid("gradcam"))
    return sweeps.config(folder, store, methods=methods, curve_steps=3)


def start(folder, store="store"):
    """An earlier sweep: fewer masks, clips and methods."""
    clips = (sweeps.ClipChoice(str(folder / "data"), per_spectrum=2),)
    rise = sweeps.MethodGrid("rise", options={"num_masks": [37]})
    return sweeps.config(folder, store, methods=(rise,), curve_steps=3, clips=clips)
