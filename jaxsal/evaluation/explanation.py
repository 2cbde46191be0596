"""What the methods said of one clip, as a value and as a file."""

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxsal.core.files import write_atomically
from jaxsal.core.types import AnyArray
from jaxsal.metrics.curves import Curve
from jaxsal.metrics.summary import ClipResult
from jaxsal.options import MEASURES, ExplainOptions
from jaxsal.saliency.ledger import RiseLedger


class Explanation(NamedTuple):
    """What the methods say of one clip.

    Attributes:
      name: The clip's name.
      spectrum: "IR" or "TV".
      label: The true class, -1 where it is not known.
      target: The explained class.
      clip: (T, H, W, C), in [0, 1].
      probabilities: Of all classes, (K,).
      maps: By method, (T', H, W); the references among them.
      curves: By method, (deletion, insertion).
      seconds: By method, what its map took.
      options: How the clip was explained.
      baselines: By measure, "deletion" and "insertion": what replaced removed voxels; broadcasts to the clip.
      ledger: RISE's scores, for maps of other classes and standard errors; None where RISE was not run.
    """

    name: str
    spectrum: str
    label: int
    target: int
    clip: Float[AnyArray, "T H W C"]
    probabilities: Float[AnyArray, " K"]
    maps: Mapping[str, Float[AnyArray, "Tm H W"]]
    curves: Mapping[str, tuple[Curve, Curve]]
    seconds: Mapping[str, float]
    options: ExplainOptions
    baselines: Mapping[str, Float[AnyArray, "..."]]
    ledger: RiseLedger | None = None

    def most_probable(self, count: int) -> list[tuple[int, float]]:
        """The most probable classes with their probabilities, best first."""
        order = np.argsort(-self.probabilities)[:count]
        return [(int(k), float(self.probabilities[k])) for k in order]

    def results(self) -> list[ClipResult]:
        """One row of the table of results per method."""
        return [
            ClipResult(
                clip=self.name,
                spectrum=self.spectrum,
                method=method,
                label=self.label,
                target=self.target,
                deletion=float(removed.auc),
                insertion=float(shown.auc),
                floor=float(removed.scores[-1]),
                start=float(shown.scores[0]),
                seconds=self.seconds[method],
            )
            for method, (removed, shown) in self.curves.items()
        ]


def save_explanation(path: str | Path, explanation: Explanation, identity: dict[str, Any]) -> None:
    """Writes an explanation to one .npz file, whole or not at all, and its RISE scores to ledgers/ beside it.

    Args:
      path: Where to.
      explanation: What to write.
      identity: What the explanation came from, such as options and checkpoint; `load_explanation` compares it.
    """
    e = explanation
    header = dict(
        name=e.name,
        spectrum=e.spectrum,
        label=e.label,
        target=e.target,
        seconds=dict(e.seconds),
        options=dataclasses.asdict(e.options),
        has_ledger=e.ledger is not None,
        identity=identity,
    )
    arrays: dict[str, Any] = {"clip": np.asarray(e.clip, np.float32), "probabilities": e.probabilities}
    for method in e.maps:
        arrays[f"map.{method}"] = e.maps[method]
        for measure, curve in zip(MEASURES, e.curves[method], strict=True):
            for field, values in zip(Curve._fields, curve, strict=True):
                if values is not None:
                    arrays[f"{measure}.{method}.{field}"] = values
    for measure, baseline in e.baselines.items():
        arrays[f"baseline.{measure}"] = np.asarray(baseline, np.float32)
    if e.ledger is not None:
        e.ledger.save(_ledger_path(path))
    with write_atomically(path) as file:
        np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)


def load_explanation(path: str | Path, identity: dict[str, Any] | None = None) -> Explanation | None:
    """Reads an explanation back; None if there is none, or it is damaged or came from something else.

    Args:
      path: The file.
      identity: What the explanation must have come from; anything if None.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays["header"]))
        found = header.pop("identity")
        if identity is not None and found != json.loads(json.dumps(identity)):
            return None
        ledger = RiseLedger.load(_ledger_path(path)) if header.pop("has_ledger") else None
        return _explanation(arrays, header, ledger)
    except (FileNotFoundError, ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None


def _explanation(arrays: dict[str, np.ndarray], header: dict[str, Any], ledger: RiseLedger | None) -> Explanation:
    methods, measures = (
        [name.removeprefix(prefix) for name in arrays if name.startswith(prefix)] for prefix in ("map.", "baseline.")
    )

    def curve(measure: str, method: str) -> Curve:
        found = {field: arrays.get(f"{measure}.{method}.{field}") for field in Curve._fields}
        return Curve(**{field: jax.device_put(values) for field, values in found.items() if values is not None})

    options: Any = {
        name: tuple(value) if isinstance(value, list) else value for name, value in header.pop("options").items()
    }
    return Explanation(
        clip=arrays["clip"],
        probabilities=arrays["probabilities"],
        maps={method: arrays[f"map.{method}"] for method in methods},
        curves={method: (curve("deletion", method), curve("insertion", method)) for method in methods},
        options=ExplainOptions(**options),
        baselines={measure: arrays[f"baseline.{measure}"] for measure in measures},
        ledger=ledger,
        **header,
    )


def _ledger_path(path: str | Path) -> Path:
    return Path(path).parent / "ledgers" / Path(path).name
