"""A score ledger as one file: NumPy arrays beside a header in JSON, written whole or not at all."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsal.core.arrays import read_npz
from jaxsal.core.files import DamagedError, write_atomically
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.sealed import parse, sealed
from jaxsal.recipes import RiseOptions

if TYPE_CHECKING:
    from jaxsal.saliency.ledger import RiseLedger

_ARRAYS = ("key_data", "clip_logits", "ids", "logits")
_TEXTS = ("shape", "clip_fingerprint", "precision", "weights", "classes", "spectra")


def write_ledger(path: str | Path, ledger: "RiseLedger") -> None:
    """Writes the fields of a `RiseLedger`."""
    options = dataclasses.asdict(ledger.options)
    arrays = {name: getattr(ledger, name) for name in _ARRAYS}
    if not isinstance(ledger.options.baseline, str):
        options["baseline"] = None
        arrays["baseline"] = np.asarray(ledger.options.baseline)
    header = {name: getattr(ledger, name) for name in _TEXTS} | dict(options=options)
    header["arrays"] = {name: fingerprint(array) for name, array in arrays.items()}
    with write_atomically(path) as file:
        np.savez(file, header=np.array(json.dumps(sealed(header))), **arrays)


def read_fields(path: str | Path) -> dict[str, Any]:
    """The fields of the `RiseLedger` that `write_ledger` wrote.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is no ledger, or is damaged.
    """
    try:
        return _fields(read_npz(path))
    except OSError:
        raise
    except Exception as error:  # zipfile and NumPy raise many kinds for damaged files
        reason = str(error) or type(error).__name__
        raise DamagedError(
            f"`path` must be a whole ledger; got {path} ({reason}). Remove it: the same call computes it again."
        ) from error


def _fields(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    header = parse(str(arrays.pop("header")).encode())
    for name, saved in header.get("arrays", {}).items():  # files of before these were kept lack them
        if fingerprint(arrays[name]) != saved:
            raise DamagedError(f"{name} have changed")
    if len(arrays["ids"]) != len(arrays["logits"]):
        raise DamagedError(f"it has {len(arrays['ids'])} ids and {len(arrays['logits'])} rows of logits")
    options = header["options"]
    options["grid_shape"] = tuple(options["grid_shape"])
    if options["baseline"] is None:
        options["baseline"] = arrays["baseline"]
    return {name: arrays[name] for name in _ARRAYS} | dict(
        shape=tuple(header["shape"]),
        options=RiseOptions(**options),
        clip_fingerprint=header["clip_fingerprint"],
        precision=header.get("precision"),
        weights=header.get("weights"),
        classes=tuple(header.get("classes", ())),
        spectra=tuple(header.get("spectra", ())),
    )
