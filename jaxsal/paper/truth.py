"""Maps against the actor's known pixels, beside deletion and insertion."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxsal.core.controls import is_control
from jaxsal.datasets.records import ClipRecord
from jaxsal.evaluation.cases import actor_pixels
from jaxsal.evaluation.groups import Group
from jaxsal.evaluation.maps import clip_results, read_map
from jaxsal.evaluation.store import Store
from jaxsal.metrics.localization import Localization, localize
from jaxsal.metrics.summary import RANDOM, Measure
from jaxsal.paper.config import ARCHITECTURES, NetworkConfig
from jaxsal.paper.values import Values, measure_values
from jaxsal.recipes import MEASURES
from jaxsal.report.sheet import Sheet, Value
from jaxsal.training.networks import NetworkSpec


class Located(NamedTuple):
    """One map against its clip's actor.

    Attributes:
      arch: The network's architecture.
      spectra: What it was trained on.
      spectrum: Of the clip.
      clip: Its name.
      method: As results name it.
      pointing: See `jaxsal.metrics.localization.Localization`, as the next three.
      energy: Share of the credit on the actor.
      space: AUC within frames.
      time: AUC over time.
      deletion: Area under the deletion curve.
      insertion: Area under the insertion curve.
      actor: Who is seen.
      training: Which training of the network.
    """

    arch: str
    spectra: str
    spectrum: str
    clip: str
    method: str
    pointing: float
    energy: float
    space: float
    time: float
    deletion: float
    insertion: float
    actor: str
    training: int = 0


def locate(
    network: NetworkConfig,
    spec: NetworkSpec,
    store: Store,
    group: Group,
    cells: Sequence[int],
    records: Iterable[ClipRecord],
) -> list[Located]:
    """Every map of some cells of a group, of every clip whose actor is known."""
    by_name = {record.name: record for record in records}
    found = []
    for case in group.cases:
        mask = actor_pixels(spec, by_name[case.name])
        if mask is None:
            continue
        for number in cells:
            (result,) = clip_results(store, group, number, [case])
            located = localize(jnp.asarray(read_map(store, group, number, case)), jnp.asarray(mask))
            place = (network.arch, spec.spectra, result.spectrum, result.clip, result.method)
            measures = (*map(float, located), result.deletion, result.insertion)
            found.append(Located._make((*place, *measures, by_name[case.name].actor, network.repeat)))
    return found


def truth_sheets(located: Sequence[Located], *, seed: int = 0) -> tuple[Sheet, Sheet]:
    """The measures of every method, and how far deletion and insertion rank the maps of a clip as they do.

    Args:
      located: Of all networks.
      seed: Of the bootstrap.
    """
    groups = _grouped(located, "arch", "spectra", "spectrum", "method")
    columns = ("network", "trained on", "input", "method", "n", *Localization._fields, "deletion ↓", "insertion ↑")
    measures = (*Localization._fields, *MEASURES)
    lines = tuple(
        (
            ARCHITECTURES[arch],
            *rest,
            len({one.clip for one in group}),
            *(_measure(group, attrgetter(name), seed) for name in measures),
        )
        for (arch, *rest), group in groups.items()
    )
    note = (
        "Pointing: the most salient voxel lies on the actor; energy: share of the credit on the actor; space: AUC of "
        "the actor's pixels within a frame; time: AUC of when the actor covers a pixel. All four: higher is better."
    )
    return Sheet("truth", "Where the actor is", note, columns, lines), _agreement_sheet(located, seed)


def _agreement_sheet(located: Sequence[Located], seed: int) -> Sheet:
    lines: list[tuple[Value, ...]] = []
    for (arch,), group in _grouped(located, "arch").items():
        ranked = [one for one in group if one.method == RANDOM or not is_control(one.method)]
        actors = _grouped(ranked, "training", "actor")
        for name in MEASURES:
            correlations = [
                measure_values(
                    Values.of((_correlation(maps, name, truth), *place) for place, maps in actors.items()), seed=seed
                )
                for truth in Localization._fields
            ]
            lines.append((ARCHITECTURES[arch], name, len({actor for _, actor in actors}), *correlations))
    note = (
        "Spearman's rank correlation over the maps of a clip (the methods' and the random one); 1: the measure ranks "
        "them as the actor's pixels do. An actor counts once for each training: the mean over the actor's clips and "
        "the networks that saw them. Clips where a measure cannot rank them are left out."
    )
    columns = ("network", "measure", "actors", *Localization._fields)
    return Sheet("truth-agreement", "Deletion and insertion against the actor's pixels", note, columns, tuple(lines))


def _correlation(maps: Sequence[Located], measured: str, truth: str) -> float:
    """The mean over the clips of an actor and the networks that were given them; NaN where none has a correlation."""
    sign = -1 if measured == "deletion" else 1
    clips = _grouped(maps, "spectra", "clip").values()
    found = [rank_correlation(clip, measured, truth, sign) for clip in clips]
    known = [value for value in found if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def rank_correlation(maps: Sequence[Located], measured: str, truth: str, sign: int) -> float:
    """Spearman's correlation of `sign` times a measure with a measure of the truth; NaN where one does not vary."""
    from scipy.stats import spearmanr

    values = [[factor * getattr(one, name) for one in maps] for factor, name in ((sign, measured), (1, truth))]
    if min(map(np.ptp, values)) == 0:
        return float("nan")
    return float(spearmanr(*values).statistic)


def _measure(located: Sequence[Located], value_of: Callable[[Located], float], seed: int) -> Measure | None:
    return measure_values(Values.of((value_of(one), one.training, one.actor) for one in located), seed=seed)


def _grouped(located: Sequence[Located], *names: str) -> dict[tuple[Any, ...], list[Located]]:
    groups: dict[tuple[Any, ...], list[Located]] = {}
    for one in located:
        groups.setdefault(tuple(getattr(one, name) for name in names), []).append(one)
    return groups
