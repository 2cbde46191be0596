"""Reference numbers of the original PyTorch code: `load`, `weights`, `assert_close`; see README.md."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from . import seeded

FOLDER = Path(__file__).parent


class Golden(dict):
    """The arrays of one file by name; `meta` holds parameters and provenance."""

    def __init__(self, arrays, meta):
        super().__init__(arrays)
        self.meta = meta

    def group(self, prefix):
        """The arrays named `prefix.*`, by the rest of their names."""
        return {name[len(prefix) + 1 :]: a for name, a in self.items() if name.startswith(prefix + ".")}


@cache
def load(name):
    """All arrays of `name`.npz; nothing is unpickled. They are read once, so nobody may write to them."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files if key != "meta"}
        for array in arrays.values():
            array.setflags(write=False)
        return Golden(arrays, json.loads(str(file["meta"])))


def shapes(network):
    """Checkpoint names of a network with the tensors' shapes, in torch's layout."""
    return json.loads((FOLDER / f"names_{network}.json").read_text())["shapes"]


def weights(network):
    """Stand-in checkpoint of a network, {torch name: array}, drawn from its names, shapes and seed."""
    names = json.loads((FOLDER / f"names_{network}.json").read_text())
    state = seeded.seeded_state_dict(names["shapes"], names["seed"])
    assert seeded.fingerprint(state) == names["sha256"], "this numpy draws other numbers than the reference run"
    return state


@cache
def _tolerances():
    return json.loads((FOLDER / "tolerances.json").read_text())


def tolerance(name, key):
    """{"rtol": ..., "atol": ...} for one array: the float32 noise of the reference run, integers exact."""
    if load(name)[key].dtype.kind in "iu":
        return {"rtol": 0.0, "atol": 0.0}
    tolerances = _tolerances()
    found = tolerances["files"].get(name, {}).get(key, tolerances["default"])
    return {"rtol": found["rtol"], "atol": found["atol"]}


def assert_close(name, key, value):
    """Fails unless `value` equals array `key` of file `name` within that array's own tolerance."""
    reference = np.asarray(load(name)[key], np.float64)
    value = np.asarray(value, np.float64)
    assert value.shape == reference.shape, f"{name}:{key} has shape {reference.shape}; got {value.shape}"
    np.testing.assert_allclose(value, reference, **tolerance(name, key), err_msg=f"{name}:{key}")
