"""The player in a notebook, and as a page of its own."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsal.core.checks import check_choice
from jaxsal.core.files import write_atomically
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.types import Clip, SaliencyMap, ScoreFn
from jaxsal.engine.inputs import check_clip, check_saliency, check_score_fn
from jaxsal.keywords import resolve_options
from jaxsal.metrics.curves import Curve, curve_baseline
from jaxsal.options import MEASURES
from jaxsal.report.page import build_page
from jaxsal.report.panels import SCALES, Panel, PanelCurve, PanelMap, Scene, changing_steps, ledger_maps, map_unit
from jaxsal.saliency.ledger import RiseLedger, clip_logits


class View(NamedTuple):
    """A page that a notebook shows by itself.

    Attributes:
      page: HTML, with all that it shows.
    """

    page: str

    def __repr__(self) -> str:
        return f"View(a page of {len(self.page) / 1e6:.2f} MB)"

    def save(self, path: str | Path) -> None:
        """Writes the page to a file that any browser opens, whole or not at all."""
        with write_atomically(path) as file:
            file.write(self.page.encode())

    def _repr_html_(self) -> str:
        style = "width:100%;height:900px;border:0"
        return f'<iframe title="jaxsal player" style="{style}" srcdoc="{escape(self.page)}"></iframe>'


def view(
    clip: Clip,
    saliency: SaliencyMap | RiseLedger | Mapping[str, SaliencyMap | RiseLedger],
    *,
    score_fn: ScoreFn | None = None,
    curves: Mapping[str, tuple[Curve, Curve]] | None = None,
    recipe: str = "default",
    classes: Sequence[str] | None = None,
    target: int | None = None,
    name: str = "",
    scale: str = "steps",
) -> View:
    """Shows a clip with its maps: play and scrub, compare methods, follow the curves.

    Args:
      clip: The clip, (T, H, W, 3), values in [0, 1].
      saliency: A map (T', H, W), or a ledger of RISE, which gives a map of every class with its error; or several of
        them by name, of one classifier or, if `target` is given, of several.
      score_fn: Maps the clip to logits (K,); the page then shows its prediction and what it saw at each step of the
        curves.
      curves: Deletion and insertion of a map, by the map's name.
      recipe: The one that the curves were measured with.
      classes: Names of the classes; their numbers if None.
      target: The class that the maps explain; the predicted class if None.
      name: Heading of the page.
      scale: The colour scale that the player starts with. Maps whose names are alike up to the first comma are
        compared, as "RISE, trained on IR" and "RISE, trained on TV". "steps": a step of colour is the same amount in
        all of them, and each starts at its least value; "limits": they have the same limits; "clip": all maps have
        the same limits, whatever their names; "map": each map has its own.

    Returns:
      What a notebook shows as the player; `.save(path)` writes it as a page.

    Raises:
      TypeError: If an argument is of the wrong kind.
      ValueError: If a map does not fit the clip, a curve has no map, `target` is no class, or `scale` is unknown.

    Example:
      >>> import jax, jaxsal
      >>> clip = jax.random.uniform(jax.random.key(0), (4, 8, 8, 3))
      >>> credit = {"RISE, trained on IR": clip[..., 0], "RISE, trained on TV": clip[..., 1]}
      >>> jaxsal.view(clip, credit, name="one clip, two networks", scale="limits")
      View(a page of 0.05 MB)
    """
    check_choice("scale", scale, SCALES)
    frames = np.asarray(check_clip(clip, channels=3))
    given = dict(saliency) if isinstance(saliency, Mapping) else {"saliency": saliency}
    if not given:
        raise ValueError("`saliency` must hold at least one map; got none.")
    unknown = sorted(set(curves or {}) - set(given))
    if unknown:
        raise ValueError(f"`curves` must be of the maps {sorted(given)}; got {unknown[0]!r}.")
    ledgers = [value.clip_logits for value in given.values() if isinstance(value, RiseLedger)]
    logits = _logits(score_fn, frames, ledgers)
    names = _class_names(classes, ledgers[0] if logits is None and ledgers else logits, target)
    if target is None and logits is None and ledgers:
        raise ValueError("`target` must be given where ledgers are of several classifiers; got None.")
    if target is None and logits is not None:
        target = int(np.argmax(logits))
    explained = None if target is None else names[target]
    maps = [found for method, value in given.items() for found in _maps(method, value, frames, names, explained)]
    panel = Panel(
        caption="",
        clip=frames,
        maps=maps,
        curves=[
            found
            for method, both in (curves or {}).items()
            for found in _curves(method, both, maps, explained, frames, recipe)
        ],
        probabilities={} if logits is None else dict(zip(names, _softmax(logits), strict=True)),
        target=explained,
        baselines={} if score_fn is None else _baselines(score_fn, frames, len(maps[0].values), recipe),
    )
    return View(build_page([Scene(name, [panel], scale)], title=name or "jaxsal"))


def _logits(score_fn: ScoreFn | None, clip: np.ndarray, ledgers: list[np.ndarray]) -> np.ndarray | None:
    """Of the untouched clip, from whoever knows them; None where nobody does, or ledgers are of several classifiers."""
    if score_fn is not None:
        check_score_fn(score_fn, clip)
        return clip_logits(score_fn, clip)
    return ledgers[0] if ledgers and _agree(ledgers) else None


def _agree(logits: Sequence[np.ndarray]) -> bool:
    """Whether logits can be of one classifier."""
    first = logits[0]
    return all(found.shape == first.shape and np.allclose(found, first, rtol=1e-3, atol=1e-4) for found in logits)


def _class_names(classes: Sequence[str] | None, logits: np.ndarray | None, target: int | None) -> list[str]:
    """One name per class, as far as is known how many there are."""
    num_classes = len(classes or ()) if logits is None else len(logits)
    if classes is not None and len(classes) != num_classes:
        raise ValueError(f"`classes` must name {num_classes} classes; got {len(classes)}.")
    if target is not None and not 0 <= target < (num_classes or target + 1):
        raise ValueError(f"`target` must be a class from 0 to {num_classes - 1}; got {target}.")
    return list(classes) if classes is not None else [str(k) for k in range(num_classes or (target or 0) + 1)]


def _maps(
    method: str, value: SaliencyMap | RiseLedger, clip: np.ndarray, names: list[str], explained: str | None
) -> list[PanelMap]:
    if not isinstance(value, RiseLedger):
        values = np.asarray(check_saliency(value, clip))
        if not np.isfinite(values).all():
            raise ValueError("`saliency` must be finite; got an infinite value.")
        return [PanelMap(method, explained, values, unit=map_unit(method.split(",")[0]))]
    if value.clip_fingerprint != fingerprint(clip):
        raise ValueError("`saliency` must be of the clip; got a ledger of another.")
    return ledger_maps(method, value, dict(enumerate(names)))


def _curves(
    method: str, both: tuple[Curve, Curve], maps: list[PanelMap], explained: str | None, clip: np.ndarray, recipe: str
) -> list[PanelCurve]:
    """Both curves; the number of steps is the curve's own, the order of removal the recipe's."""
    values = next(found.values for found in maps if (found.method, found.target) == (method, explained))
    return [
        PanelCurve(
            method,
            measure,
            np.asarray(curve.fractions),
            np.asarray(curve.scores),
            float(curve.auc),
            changing_steps(values, clip.shape, resolve_options(measure, recipe, {"num_steps": len(curve.scores)})),
        )
        for measure, curve in zip(MEASURES, both, strict=True)
    ]


def _baselines(score_fn: ScoreFn, clip: np.ndarray, num_slices: int, recipe: str) -> dict[str, np.ndarray]:
    return {
        measure: np.asarray(
            curve_baseline(score_fn, jnp.asarray(clip), resolve_options(measure, recipe, {}), num_slices=num_slices)
        )
        for measure in MEASURES
    }


def _softmax(logits: np.ndarray) -> list[float]:
    return np.asarray(jax.nn.softmax(jnp.asarray(logits))).tolist()
