"""What the methods said of clips as a store has it: where it is, and the reading of it, whole or in part."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxsal.datasets.records import FUSED, SPECTRA
from jaxsal.engine.class_scores import class_scores, shown_kind
from jaxsal.engine.requests import Scores
from jaxsal.engine.spectra import by_spectrum, spectra_of
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.groups import Group
from jaxsal.evaluation.maps import noted_target, read_record, whole_scores
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.scenes import stored_tree
from jaxsal.evaluation.store import Record, Store
from jaxsal.metrics.curve import Curve
from jaxsal.recipes import MEASURES, RiseOptions
from jaxsal.recipes.further import ShapleyOptions
from jaxsal.saliency import shapley
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.saliency.methods import METHODS
from jaxsal.saliency.shares import read_shares
from jaxsal.saliency.spectrum_shares import SpectrumShares


class Place(NamedTuple):
    """Where a store has what the methods said of one clip; run.json names them, so that nothing else is read.

    Attributes:
      name: The clip's name.
      group: What the clip itself is stored by.
      cells: By method, the series of its results, and of the scores that it read or None.
      digest: Fingerprint of the clip.
    """

    name: str
    group: str
    cells: Mapping[str, Sequence[str | None]]
    digest: str


def places_of(groups: Sequence[Group], store: Store) -> list[Place]:
    """Where a store has the clips of a plan, in the plan's order."""
    return [
        Place(
            case.name,
            group.clip_series,
            {
                cell.method: (group.series[number], group.reads[number])
                for number, cell in enumerate(group.cells)
                if number not in group.partners or case.name in group.partners[number]
            },
            (_note(store, group, case.name) or {}).get("digest", ""),
        )
        for group in groups
        for case in group.cases
    ]


def _note(store: Store, group: Group, name: str) -> dict[str, Any] | None:
    """What a store says of a clip: beside the clip itself, or beside its first result where clips are not stored."""
    return store.note("clip", group.clip_series, name) or store.note("result", group.series[0], name)


def read_explanation(
    store: Store, place: Place, options: ExplainOptions, *, load: Callable[[], Any] | None = None
) -> Explanation:
    """What a store has of a clip.

    Args:
      store: The store.
      place: Where it has it.
      options: How the clip was explained.
      load: Gives the clip where the store does not keep it; what replaced removed voxels is left out then.

    Raises:
      ValueError: If something of it is missing or damaged, or is of another clip of the same name.
    """
    if load is None:
        clip = read_record(store, "clip", place.group, place.name, place.digest)
        shown = stored_tree(clip.arrays, "clip")
    else:
        clip = read_record(store, "result", next(iter(place.cells.values()))[0] or "", place.name, place.digest)
        shown = load()
    spectra = spectra_of(shown)
    maps, curves, seconds, measures, target, against, classes, kind = {}, {}, {}, {}, -1, None, (), None
    for method, (series, _) in place.cells.items():
        found = read_record(store, "result", series or "", place.name, place.digest)
        title, note = METHODS[method].title, found.note
        maps[title] = by_spectrum(found.arrays["saliency"], spectra)
        seconds[title], target, against = note["seconds"], note["target"], note.get("against")
        curves[title] = _curve(found, MEASURES[0]), _curve(found, MEASURES[1])
        measures[title] = {name: note[name] for name in note["measures"]}
        described = store.description(series or "") or {}
        classes = described.get("classes", ())
        kind = described["identity"]["measures"][MEASURES[0]]["scores"] if described else None
    return Explanation(
        name=place.name,
        spectrum=clip.note["spectrum"],
        label=clip.note["label"],
        actor=clip.note.get("actor", ""),
        target=target,
        clip=shown,
        probabilities=class_scores(clip.arrays["clip_logits"], shown_kind(kind or "probabilities")),
        maps=maps,
        curves=curves,
        seconds=seconds,
        options=options,
        baselines={name: stored_tree(clip.arrays, f"baseline.{name}") for name in _replaced(clip)},
        measures=measures,
        ledger=_ledger(store, place, spectra),
        shares=_shares(store, place) if spectra == SPECTRA else None,
        classes=tuple(classes),
        against=against,
    )


def read_light(store: Store, place: Place, options: ExplainOptions) -> Explanation:
    """What a store has of a clip without clip, maps, baselines and scores; errors as `read_explanation`."""
    return without_arrays(read_without_clip(store, place, options))


def read_without_clip(store: Store, place: Place, options: ExplainOptions) -> Explanation:
    """What a store has of a clip whose frames it does not keep; the clip is None. Errors as `read_explanation`."""
    note = store.note("result", next(iter(place.cells.values()))[0] or "", place.name) or {}
    clip = dict.fromkeys(SPECTRA) if note.get("spectrum") == FUSED else None
    return read_explanation(store, place, options, load=lambda: clip)


def without_arrays(explanation: Explanation) -> Explanation:
    """An explanation without clip, maps, baselines and scores, of which many can be held."""
    return explanation._replace(clip=None, maps={}, baselines={}, ledger=None, shares=None)


def read_maps(store: Store, place: Place, spectra: tuple[str, ...] = ()) -> dict[str, Any]:
    """The maps of a clip by method, as of `Explanation`, and nothing else; errors as `read_explanation`."""
    found = {
        METHODS[method].title: read_record(store, "result", series or "", place.name, place.digest)
        for method, (series, _) in place.cells.items()
    }
    return {title: by_spectrum(record.arrays["saliency"], spectra) for title, record in found.items()}


def _replaced(clip: Record) -> list[str]:
    """The measures whose baselines are stored with a clip."""
    return list(dict.fromkeys(name.split(".")[1] for name in clip.arrays if name.startswith("baseline.")))


def _curve(record: Record, measure: str) -> Curve:
    arrays, note = record.arrays, record.note
    return Curve(
        arrays[f"{measure}_fractions"],
        arrays[measure],
        np.asarray(note[measure], np.float32),
        note[f"{measure}_scored"],
        arrays[measure][0 if measure == "insertion" else -1],
    )


def _ledger(store: Store, place: Place, spectra: tuple[str, ...]) -> RiseLedger | None:
    """RISE's scores of a clip, None where RISE was not run."""
    series = place.cells.get("rise", (None, None))[1]
    if series is None:
        return None
    held = whole_scores(store, series, place.name)
    description = _description(store, series)
    identity = description["identity"]
    values = identity["options"] | dict(grid_shape=tuple(identity["options"]["grid_shape"]), num_masks=len(held.ids))
    return RiseLedger(
        key_data=np.asarray(jax.random.key_data(jax.random.key(identity["seed"], impl="threefry2x32"))),
        shape=tuple(identity["shape"]),
        options=RiseOptions(**values),
        clip_fingerprint=place.digest,
        clip_logits=held.arrays["clip_logits"],
        ids=held.ids,
        logits=held.logits,
        precision=identity["precision"],
        weights=identity["weights"],
        classes=tuple(description["classes"]),
        spectra=spectra,
    )


def _shares(store: Store, place: Place) -> SpectrumShares | None:
    """How the decision on a scene splits, None where the method "shapley" was not run."""
    series, scores = place.cells.get(shapley.METHOD.name, (None, None))
    if series is None or scores is None:
        return None
    identity, held = _description(store, series)["identity"], whole_scores(store, scores, place.name)
    values = identity["options"] | dict(grid_shape=tuple(identity["options"]["grid_shape"]))
    options = ShapleyOptions(**values)
    family = shapley.restored({}, options, tuple(identity["shape"]), identity["seed"])
    target = noted_target(store.note("result", series, place.name) or {})
    return read_shares(Scores(family, held.ids, held.logits, held.arrays["clip_logits"]), target, options)


def _description(store: Store, series: str) -> Mapping[str, Any]:
    if (description := store.description(series)) is None:
        raise ValueError(f"{store.url} lacks the description of its scores. Run the command that made them again.")
    return description
