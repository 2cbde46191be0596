"""The player in a notebook, and as a page of its own."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from jaxsal.core.checks import check_choice
from jaxsal.core.files import write_text
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import Clip, SaliencyMap, ScoreFn
from jaxsal.drawing.recording import ground_of
from jaxsal.engine.baselines import make_baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.class_scores import class_scores, num_targets, own_kind, predicted_class, shown_kind
from jaxsal.engine.inputs import check_clip
from jaxsal.engine.maps import check_map
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.views import map_unit
from jaxsal.metrics.curve import Curve
from jaxsal.metrics.curve_scores import curve_baseline
from jaxsal.recipes import MEASURES, resolve_options
from jaxsal.report.page import build_page
from jaxsal.report.panels import SCALES, Panel, PanelCurve, PanelMap, ledger_maps, panel_curves
from jaxsal.report.run import Run, read_run, report_page
from jaxsal.report.scenes import Scene, scenes_of
from jaxsal.saliency.ledger import RiseLedger


class View(NamedTuple):
    """A page that a notebook shows by itself.

    Attributes:
      page: HTML, with everything that it shows.
    """

    page: str

    def __repr__(self) -> str:
        return f"View(a page of {len(self.page) / 1e6:.2f} MB)"

    @check_kinds
    def save(self, path: str | Path) -> None:
        """Writes the page to a file that any browser opens, whole or not at all."""
        write_text(path, self.page)

    def _repr_html_(self) -> str:
        style = "width:100%;height:900px;border:0"
        return f'<iframe title="jaxsal player" style="{style}" srcdoc="{escape(self.page)}"></iframe>'


@check_kinds
def view(
    clip: Clip | Explanation | Sequence[Explanation] | str | Path,
    saliency: SaliencyMap | RiseLedger | Mapping[str, SaliencyMap | RiseLedger] | None = None,
    *,
    score_fn: ScoreFn | None = None,
    curves: Mapping[str, tuple[Curve, Curve]] | None = None,
    recipe: str = "default",
    classes: Sequence[str] | None = None,
    target: int | None = None,
    name: str = "",
    scale: str | None = None,
) -> View:
    """Shows a clip with its maps: play and scrub, compare methods, follow the curves.

    Args:
      clip: The clip, (T, H, W, 3), values in [0, 1]; or one or several results of `jaxsal.explain`, which
        bring their maps: then only `classes`, `name` and `scale` apply, and both spectra of a scene stand side by side;
        or the folder of a run, for its report. A clip of `jaxsal.read_clip` is shown on its recording's own frames.
      saliency: A map (T', H, W), or a ledger of RISE, which gives a map of every class with its error; or several of
        these by name, of one classifier or, if `target` is given, of several.
      score_fn: Maps the clip to logits (K,). The page then shows the prediction, and what the network saw at each step
        of the curves.
      curves: Deletion and insertion of a map, by the map's name.
      recipe: Recipe that the curves were measured with.
      classes: Names of the classes; their numbers if None.
      target: The class that the maps explain; the predicted class if None.
      name: Heading of the page.
      scale: Colour scale at the start; "limits" for a scene that a network took in both spectra, "steps" for others, if
        None. Maps whose names are alike up to the first comma are compared, such as
        "RISE, trained on IR" and "RISE, trained on TV". "steps": a step of colour is the same amount in compared maps,
        and each map starts at its median; "limits": compared maps have the same limits; "clip": all maps have
        the same limits; "map": each map has its own.

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
      View(a page of 0.07 MB)
    """
    if scale is not None:
        check_choice("scale", scale, SCALES)
    if isinstance(clip, str | Path):
        return View(report_page(_run(clip)).text)
    explanations = _explanations(clip)
    if explanations:
        if saliency is not None:
            raise ValueError(f"`saliency` must be left out with explanations; got {type(saliency).__name__}.")
        return _view_explained(explanations, classes, name, scale)
    if saliency is None:
        raise ValueError("`saliency` must be given with a clip; got None.")
    frames = np.asarray(check_clip(cast(Clip, clip), channels=3))
    given = dict(saliency) if isinstance(saliency, Mapping) else {"saliency": saliency}
    if not given:
        raise ValueError("`saliency` must hold at least one map; got none.")
    unknown = sorted(set(curves or {}) - set(given))
    if unknown:
        raise ValueError(f"`curves` must be of the maps {sorted(given)}; got {unknown[0]!r}.")
    ledgers = [value.clip_logits for value in given.values() if isinstance(value, RiseLedger)]
    logits = _logits(score_fn, frames, ledgers)
    kinds = [value.options.scores for value in given.values() if isinstance(value, RiseLedger)]
    kind = shown_kind(own_kind(score_fn) if score_fn is not None else next(iter(kinds), "probabilities"))
    names = _class_names(classes, ledgers[0] if logits is None and ledgers else logits, target)
    if target is None and logits is None and ledgers:
        raise ValueError("`target` must be given where ledgers are of several classifiers; got None.")
    if target is None and logits is not None:
        target = int(predicted_class(logits, kind))
    explained = None if target is None else names[target]
    maps = [found for method, value in given.items() for found in _maps(method, value, frames, names, explained)]
    panel = Panel(
        caption="",
        clip=frames,
        maps=maps,
        curves=[
            curve
            for method, both in (curves or {}).items()
            for curve in _curves(method, both, maps, explained, frames, recipe)
        ],
        probabilities={} if logits is None else dict(zip(names, class_scores(logits, kind).tolist(), strict=True)),
        target=explained,
        baselines={} if score_fn is None else _baselines(score_fn, frames, len(maps[0].values), recipe),
        ground=None if (excerpt := getattr(clip, "excerpt", None)) is None else ground_of(frames, excerpt),
    )
    return View(build_page([Scene(name, [panel], scale or "steps")], title=name or "jaxsal"))


def _run(folder: str | Path) -> Run:
    """The run of a folder; a recording by itself has no maps to show."""
    if not (Path(folder) / "run.json").is_file():
        raise ValueError(
            f"`clip` must be a clip, an explanation or the folder of a run; got {str(folder)!r}. For a recording: "
            "jaxsal.view(jaxsal.explain(classifier, jaxsal.read_clip(path, classifier)))."
        )
    return read_run(folder)


def _explanations(clip: object) -> list[Explanation]:
    """The explanations that stand in the place of a clip; none for a clip."""
    if isinstance(clip, Explanation):
        return [clip]
    return list(clip) if isinstance(clip, list | tuple) and all(isinstance(e, Explanation) for e in clip) else []


def _view_explained(
    explanations: list[Explanation], classes: Sequence[str] | None, name: str, scale: str | None
) -> View:
    first = explanations[0]
    names = classes or first.classes or [str(k) for k in range(len(first.probabilities))]
    scenes = scenes_of(explanations, names, num_scenes=len(explanations))
    return View(
        build_page(
            [scene._replace(scale=scale or scene.scale) for scene in scenes], title=name or scenes[0].name or "jaxsal"
        )
    )


def _logits(score_fn: ScoreFn | None, clip: np.ndarray, ledgers: list[np.ndarray]) -> np.ndarray | None:
    """Of the untouched clip, by the classifier or from a ledger; None if there is neither, or ledgers disagree."""
    if score_fn is not None:
        return np.asarray(prepare(score_fn, [clip]).logits[0])
    of_one_classifier = all(
        logits.shape == ledgers[0].shape and np.allclose(logits, ledgers[0], rtol=1e-3, atol=1e-4) for logits in ledgers
    )
    return ledgers[0] if ledgers and of_one_classifier else None


def _class_names(classes: Sequence[str] | None, logits: np.ndarray | None, target: int | None) -> list[str]:
    """One name per class, as far as is known how many there are."""
    num_classes = len(classes or ()) if logits is None else num_targets(len(logits))
    if classes is not None and len(set(classes)) < len(classes):
        raise ValueError(f"`classes` must be a list of different names; got {classes!r}.")
    if classes is not None and len(classes) != num_classes:
        raise ValueError(f"`classes` must name {num_classes} classes; got {len(classes)}.")
    if target is not None and not 0 <= target < (num_classes or target + 1):
        raise ValueError(f"`target` must be a class from 0 to {num_classes - 1}; got {target}.")
    return list(classes) if classes is not None else [str(k) for k in range(num_classes or (target or 0) + 1)]


def _maps(
    method: str, value: SaliencyMap | RiseLedger, clip: np.ndarray, names: list[str], explained: str | None
) -> list[PanelMap]:
    if not isinstance(value, RiseLedger):
        values = np.asarray(check_map(value, clip.shape))
        return [PanelMap(method, explained, values, unit=map_unit(method.split(",")[0]))]
    if value.clip_fingerprint != fingerprint(clip):
        raise ValueError(f"The ledger {method!r} in `saliency` was computed for a different clip.")
    return ledger_maps(method, value, dict(enumerate(names)))


def _curves(
    method: str, both: tuple[Curve, Curve], maps: list[PanelMap], explained: str | None, clip: np.ndarray, recipe: str
) -> list[PanelCurve]:
    """Both curves; the number of steps is the curve's own, the order of removal the recipe's."""
    values = next(found.values for found in maps if (found.method, found.target) == (method, explained))
    options = {
        measure: resolve_options(measure, recipe, {"num_steps": len(curve.scores)})
        for measure, curve in zip(MEASURES, both, strict=True)
    }
    return panel_curves(method, both, values, clip.shape, options)


def _baselines(score_fn: ScoreFn, clip: np.ndarray, num_slices: int, recipe: str) -> dict[str, np.ndarray]:
    segmented = num_slices < len(clip)
    chosen = {name: curve_baseline(resolve_options(name, recipe, {}), segmented=segmented) for name in MEASURES}
    return {name: np.asarray(make_baseline(baseline, clip, score_fn)) for name, baseline in chosen.items()}
