"""What the methods said of one clip: as a value, and where a store has it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxsal.core.types import AnyArray, ClipTree
from jaxsal.drawing.plots import draw_curves
from jaxsal.engine.class_scores import class_scores, shown_kind
from jaxsal.engine.spectra import by_spectrum, spectra_of
from jaxsal.evaluation.groups import Group
from jaxsal.evaluation.maps import read_record, whole_scores
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.scenes import stored_tree
from jaxsal.evaluation.store import Record, Store
from jaxsal.evaluation.views import as_dataset, as_html, as_text, curve_panels, frames_figure, heading
from jaxsal.metrics.curve import Curve
from jaxsal.metrics.summary import ClipResult
from jaxsal.recipes import MEASURES, RiseOptions
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.saliency.methods import METHODS

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure


class Explanation(NamedTuple):
    """What the methods say of one clip.

    Attributes:
      name: The clip's name.
      spectrum: "IR" or "TV"; "FUSED" for a scene in both.
      label: The true class, -1 where it is not known.
      target: The explained class.
      clip: (T, H, W, C), in [0, 1]; of a scene that of every spectrum, by name.
      probabilities: Of all classes, (K,); of no and yes where the network has a single logit.
      maps: By method, (T', H, W); the controls among them. Of a scene that of every spectrum, by name.
      curves: By method, (deletion, insertion).
      seconds: By method, what its map took.
      options: How the clip was explained.
      baselines: By measure, "deletion" and "insertion": what replaced removed voxels; broadcasts to the clip.
      measures: By method, what further measures say of its map, by name; of a scene among them the areas of curves
        over one spectrum alone, as "deletion_IR".
      ledger: RISE's scores, for maps of other classes and standard errors; None where RISE was not run.
      classes: Names of the classes, in the order of `probabilities`; their numbers where they have none.
      actor: Who is seen; empty where that is not known.
      times: When each frame was taken, in seconds of the recording, (T,); None where that is not known.
    """

    name: str
    spectrum: str
    label: int
    target: int
    clip: Any
    probabilities: Float[AnyArray, " K"]
    maps: Mapping[str, Any]
    curves: Mapping[str, tuple[Curve, Curve]]
    seconds: Mapping[str, float]
    options: ExplainOptions
    baselines: Mapping[str, Any]
    measures: Mapping[str, Mapping[str, float]] = {}
    ledger: RiseLedger | None = None
    classes: tuple[str, ...] = ()
    actor: str = ""
    times: Float[np.ndarray, " T"] | None = None

    @property
    def prediction(self) -> str:
        """The most probable class, by name; its number as a text where classes have no names."""
        return self.class_name(int(np.argmax(self.probabilities)))

    @property
    def target_name(self) -> str:
        """The explained class, by name."""
        return self.class_name(self.target)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def plot(self, *, num_frames: int = 8) -> "Figure":
        """Draws the clip and every map over it, frame by frame.

        Args:
          num_frames: Frames to show at most, evenly spaced.

        Returns:
          The figure, which a notebook shows; `.savefig(path)` writes it. `jaxsal.view(explanation)` is the player.

        Raises:
          MissingPackageError: If Matplotlib is not installed.
        """
        return frames_figure(self, num_frames)

    def plot_curves(self) -> "Figure":
        """Draws the deletion and the insertion curve of every method; errors as `plot`."""
        return draw_curves(curve_panels([self]), title=heading(self))

    def to_xarray(self) -> "xarray.Dataset":
        """Everything with labels.

        Returns:
          `frames` (time, row, column, channel), the clip; `saliency` (map, time, row, column); `probability` (class);
          and for each measure its scores, such as `deletion` (map, deletion_step), with the coordinate
          `deletion_fraction` and the area `deletion_auc`. Time is in seconds of the recording where they are known,
          else in frames. Where frames share maps in segments, `saliency` has `map_time`, the middle of each segment.

        Raises:
          MissingPackageError: If xarray is not installed.
        """
        return as_dataset(self)

    def class_name(self, number: int) -> str:
        """A class by its name; its number as a text where classes have no names."""
        return self.classes[number] if self.classes else str(number)

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
                floor=float(removed.floor),
                start=float(shown.floor),
                seconds=self.seconds[method],
                actor=self.actor,
                measures={name: v for name, v in self.measures.get(method, {}).items() if name not in MEASURES},
            )
            for method, (removed, shown) in self.curves.items()
        ]


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
    store: Store, place: Place, options: ExplainOptions, *, load: Callable[[], ClipTree] | None = None
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
    maps, curves, seconds, measures, target, classes, kind = {}, {}, {}, {}, -1, (), None
    for method, (series, _) in place.cells.items():
        found = read_record(store, "result", series or "", place.name, place.digest)
        title, note = METHODS[method].title, found.note
        maps[title] = by_spectrum(found.arrays["saliency"], spectra)
        seconds[title], target = note["seconds"], note["target"]
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
        classes=tuple(classes),
    )


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
    if (description := store.description(series)) is None:
        raise ValueError(f"{store.url} lacks the description of its scores. Run the command that made them again.")
    identity = description["identity"]
    values = identity["options"] | dict(grid_shape=tuple(identity["options"]["grid_shape"]))
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
