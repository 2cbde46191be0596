"""A score ledger as one file: NumPy arrays beside a header in JSON, written whole or not at all."""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsal.core.files import write_atomically
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
    with write_atomically(path) as file:
        np.savez(file, header=np.array(json.dumps(header)), **arrays)


def read_fields(path: str | Path) -> dict[str, Any]:
    """The fields of the `RiseLedger` that `write_ledger` wrote.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is no ledger, or is damaged.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            arrays = {name: file[name] for name in _ARRAYS}
            options = header["options"]
            if options["baseline"] is None:
                options["baseline"] = file["baseline"]
        options["grid_shape"] = tuple(options["grid_shape"])
        return arrays | dict(
            shape=tuple(header["shape"]),
            options=RiseOptions(**options),
            clip_fingerprint=header["clip_fingerprint"],
            precision=header.get("precision"),  # files of before these were kept lack them
            weights=header.get("weights"),
            classes=tuple(header.get("classes", ())),
            spectra=tuple(header.get("spectra", ())),
        )
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError) as error:
        raise ValueError(f"`path` must be a whole ledger; got {path} ({error}).") from error
