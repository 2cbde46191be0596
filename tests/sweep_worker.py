"""A process of its own that runs a sweep of the toy, so that a test can kill it."""

import pathlib
import sys

import sweeps


def work(folder, store):
    """Runs the sweep of `test_sweep_survives`."""
    sys.stderr = open("/dev/null", "w")  # noqa: SIM115
    sweeps.run(survivor(pathlib.Path(folder), store))


def survivor(folder, store="store.zarr", masks=(37, 203)):
    grid = sweeps.MethodGrid("rise", options={"num_masks": list(masks), "grid_shape": [[2, 3, 3], [1, 4, 2]]})
    return sweeps.config(folder, store, methods=(grid,))
