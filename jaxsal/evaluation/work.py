"""The work on the clips of one batch: scores from the store or scored now, maps, measures, and what is committed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, TypeVar

import jax
import numpy as np

from jaxsal.core.types import Contrast, OneTarget
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import REPLACED, UNTOUCHED, Batch
from jaxsal.engine.class_scores import class_names, class_scores, num_targets, predicted_class
from jaxsal.engine.masks import MaskFamily
from jaxsal.engine.requests import Scores
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.evaluation.cell_maps import Owner, cell_maps, measure_maps, seconds_of
from jaxsal.evaluation.cells import Case, Cell
from jaxsal.evaluation.clips import complete_scores, settle_scores
from jaxsal.evaluation.groups import Group, ScoreSet, family_of
from jaxsal.evaluation.maps import control_maps, held_scores
from jaxsal.evaluation.run import Opened, Run
from jaxsal.evaluation.scenes import stored_arrays
from jaxsal.metrics.measures import Measured
from jaxsal.metrics.summary import FLOORS
from jaxsal.saliency.order import Settled

Result = TypeVar("Result")


@dataclass(frozen=True)
class Work:
    """The work on the clips of one batch.

    Attributes:
      batch: The clips.
      opened: What is to do on each.
      run: What all clips share.
    """

    batch: Batch
    opened: Sequence[Opened]
    run: Run

    @property
    def group(self) -> Group:
        """What the clips are of."""
        return self.opened[0].task.group

    def name(self, clip: int) -> str:
        """Of a clip."""
        return self.opened[clip].task.case.name

    def note(self, clip: int) -> dict[str, Any]:
        """What every record says of its clip."""
        case = self.opened[clip].task.case
        return dict(digest=self.opened[clip].digest, label=case.label, spectrum=case.spectrum, actor=case.actor)

    def recall(self) -> None:
        """Takes the logits of the untouched and of the fully replaced clips from the store, where it has them."""
        for clip, one in enumerate(self.opened):
            learnt = set[Any]()
            for kind, series in one.known:
                cell = self.group.by_series.get(series, self.group.cells[0] if kind == "clip" else None)
                measured = None if cell is None else cell.measured_alike
                if measured not in learnt and (records := self.run.store.read(kind, series, self.name(clip))):
                    learnt |= {None, measured}
                    self._learn(clip, records[0].arrays, {} if cell is None else self.group.baselines(cell))

    def _learn(self, clip: int, arrays: Mapping[str, np.ndarray], baselines: Mapping[str, Baseline]) -> None:
        """Tells the batch what a record says of the ends of a clip; filling clips are copies of the last one."""
        rows = slice(clip, None if clip == len(self.opened) - 1 else clip + 1)
        self.batch.learn(UNTOUCHED, rows, arrays["clip_logits"])
        for name in baselines.keys() & {array.removesuffix("_replaced") for array in arrays}:
            self.batch.learn((REPLACED, baselines[name]), rows, arrays[f"{name}_replaced"])

    def _ends(self, clip: int, cell: Cell) -> dict[str, np.ndarray]:
        """The logits of the untouched clip, and of the clips that a cell's measures replaced wholly."""
        ends = {f"{name}_replaced": (REPLACED, baseline) for name, baseline in self.group.baselines(cell).items()}
        known = {
            name: np.asarray(self.batch.end(end)[clip]) for name, end in ends.items() if self.batch.knows(end)[clip]
        }
        return {"clip_logits": np.asarray(self.batch.logits[clip])} | known

    def scores(self, found: ScoreSet, clips: Sequence[int]) -> dict[int, Scores]:
        """Of the clips that lack scores, or whose missing cells read them."""
        series, store = found.series, self.run.store
        tasks = [one.task for one in self.opened]
        reads = self.group.reads
        concerned = [n for n in clips if series in tasks[n].scores or any(reads[c] == series for c in tasks[n].cells)]
        if not concerned:
            return {}
        with self.run.progress.stage("reading"):
            there = {clip: store.read("scores", series, self.name(clip)) for clip in concerned}
        held = {clip: held_scores(records) for clip, records in there.items() if records}
        store.describe(series, self.group.describe_scores(found.cell) | dict(classes=self.classes))
        complete: Any = partial(complete_scores, self.batch, keep=partial(self._keep, series), pad=self._pad)
        if found.open_ended:
            complete = partial(settle_scores, complete, enough=partial(self._enough, found))
        complete = partial(complete, found, held, concerned)
        family = self._pad(family_of(found.cell))
        with self.run.progress.stage("forward"):
            return self.run.chunks.run(found.cell.method, self.batch, complete, family=family)

    def _enough(self, found: ScoreSet, clip: int, scores: Scores) -> bool:
        """Whether the scores of a clip give the maps of all of its cells that read them."""
        task, group = self.opened[clip].task, self.group
        for cell in (group.cells[number] for number in task.cells if group.reads[number] == found.series):
            explained = explained_class(cell, task.case, np.asarray(self.batch.logits[clip]))
            settled = cell.kind.settled(scores, explained, cell.options)
            most = cell.kind.num_masks(cell.options, cell.shape, 0)
            if len(scores.ids) < most and not (settled is not None and settled.all_settled):
                return False
        return True

    def _keep(self, series: str, clip: int, span: tuple[int, int], arrays: Mapping[str, np.ndarray]) -> None:
        """Stores the scores of a clip; scores that are not finite are not kept."""
        if not np.isfinite(arrays["logits"]).all():
            return
        store, most = self.run.store, self.run.masks_per_commit
        size = span[1] - span[0] if most is None or "masks" in arrays else most
        clip_logits = np.asarray(self.batch.logits[clip])
        for start in range(span[0], span[1], size):
            part = slice(start - span[0], start - span[0] + size)
            own = {**arrays, "logits": arrays["logits"][part], "clip_logits": clip_logits}
            stop = min(start + size, span[1])
            store.put("scores", series, self.name(clip), own, note=self.note(clip), span=(start, stop))
            if most is not None:
                store.commit(wait=False)

    def _pad(self, family: MaskFamily | None) -> MaskFamily | None:
        """Random grids of the group share one program."""
        if not isinstance(family, RiseMasks):
            return family
        return family.padded(self.group.paddings[family.shape, family.sampling])

    @property
    def classes(self) -> list[str]:
        """Names of the classes; their numbers if they have none."""
        count = self.batch.num_classes
        return list(class_names(self.group.classes, count) or map(str, range(num_targets(count))))

    def explain(
        self, cells: Sequence[int], scores: Mapping[str, Mapping[int, Scores]], clips: Sequence[int]
    ) -> dict[int, bool]:
        """Makes, measures and commits the maps of some cells; by clip, whether all of its maps were finite."""
        maps: dict[Owner, np.ndarray] = {}
        seconds: dict[Owner, float] = {}
        for number in cells:
            found, took = seconds_of(partial(self._maps, number, scores, clips))
            for owner, saliency in found.items():
                maps[owner], seconds[owner] = saliency, took / len(found)
        finite = dict.fromkeys(clips, True)
        for owner, saliency in maps.items():
            finite[owner.clip] &= bool(np.isfinite(saliency).all())
        maps = {owner: saliency for owner, saliency in maps.items() if finite[owner.clip]}
        measured = self._measure(maps, cells)
        with self.run.progress.stage("writing"):
            for owner, saliency in maps.items():
                self._commit(owner, saliency, measured[owner], seconds[owner], self._settled(owner, scores))
        return finite

    def _maps(
        self, number: int, scores: Mapping[str, Mapping[int, Scores]], clips: Sequence[int]
    ) -> dict[Owner, np.ndarray]:
        cell, series = self.group.cells[number], self.group.reads[number]
        concerned = [clip for clip in clips if number in self.opened[clip].task.cells]
        cases = [one.task.case for one in self.opened]
        logits = zip(cases, self.batch.logits, strict=False)
        labels = [explained_class(cell, case, own) for case, own in logits]
        read = None if series is None else scores[series]
        with self.run.progress.stage("maps"):
            if cell.kind.control is not None:
                names = [cases[clip].name for clip in concerned]
                clips_there = [self.batch.originals[clip] for clip in concerned]
                maps = control_maps(self.run.store, self.group, number, names, clips_there)
                found = dict(zip(concerned, maps, strict=True))
            else:
                found = cell_maps(self.batch, cell, labels, read, concerned)
        return {Owner(clip, number, labels[clip]): saliency for clip, saliency in found.items()}

    def _measure(self, maps: Mapping[Owner, np.ndarray], cells: Sequence[int]) -> dict[Owner, dict[str, Measured]]:
        """By map of some cells, what the measures say; maps with the same measures and shape are measured together."""
        kinds = {number: self.group.cells[number].measured_alike for number in cells}
        alike: dict[Any, dict[Owner, np.ndarray]] = {}
        for owner, saliency in maps.items():
            alike.setdefault(kinds[owner.cell], {})[owner] = saliency
        filled = max(Counter(kinds.values()).values(), default=0) * self.run.clips_at_once  # one program for all kinds
        found: dict[Owner, dict[str, Measured]] = {}
        for same in alike.values():
            cell = self.group.cells[next(iter(same)).cell]
            with self.run.progress.stage("forward"):
                found |= measure_maps(self.batch, cell.measures, same, filled=filled, run=self._run)
        return found

    def _run(self, name: str, action: Callable[..., Result]) -> Result:
        return self.run.chunks.run(name, self.batch, action)

    def _settled(self, owner: Owner, scores: Mapping[str, Mapping[int, Scores]]) -> Settled | None:
        """How far the scores that a map was read from settle it, where options leave their number open."""
        cell, series = self.group.cells[owner.cell], self.group.reads[owner.cell]
        return None if series is None else cell.kind.settled(scores[series][owner.clip], owner.label, cell.options)

    def _commit(
        self,
        owner: Owner,
        saliency: np.ndarray,
        measured: Mapping[str, Measured],
        seconds: float,
        settled: Settled | None,
    ) -> None:
        cell, series = self.group.cells[owner.cell], self.group.series[owner.cell]
        arrays = self._ends(owner.clip, cell)
        if self.run.keep_maps or cell.kind.maps is not None:  # which nothing gives again without a pass
            arrays["saliency"] = np.asarray(saliency, np.float32)
        number: Any = owner.label.target if isinstance(owner.label, Contrast) else owner.label
        if callable(number):  # the class beside it is the predicted one
            number = predicted_class(np.asarray(self.batch.logits[owner.clip]), cell.shown)
        against = dict(against=owner.label.against) if isinstance(owner.label, Contrast) else {}
        note = self.note(owner.clip) | against
        note |= dict(
            target=number,
            probability=float(class_scores(np.asarray(self.batch.logits[owner.clip]), cell.shown)[number]),
            seconds=seconds,
            measures=list(measured),
        )
        note |= {} if settled is None else dict(used_masks=settled.num_masks, settled_ranks=settled.num_settled)
        for name, own in measured.items():
            note[name] = own.value
            if own.curve is not None:
                arrays |= {name: np.asarray(own.curve.scores), f"{name}_fractions": np.asarray(own.curve.fractions)}
                arrays |= {} if own.logits is None else {f"{name}_logits": own.logits}
                note[f"{name}_scored"] = own.curve.num_scored
            if own.curve is not None and name in FLOORS:
                note[FLOORS[name]] = float(own.curve.floor)
        self.run.store.describe(
            series, self.group.describe(cell, self.group.reads[owner.cell]) | dict(classes=self.classes)
        )
        self.run.store.put("result", series, self.name(owner.clip), arrays, note=note)

    def keep_clips(self, clips: Sequence[int]) -> None:
        """Stores the clips that the store lacks, their logits, and what replaced removed voxels."""
        store, cell, series = self.run.store, self.group.cells[0], self.group.clip_series
        store.describe(series, self.group.identity)
        for clip in (clip for clip in clips if store.note("clip", series, self.name(clip)) is None):
            arrays = stored_arrays("clip", self.opened[clip].clip) | self._ends(clip, cell)
            for name, baseline in self.group.baselines(cell).items():
                stand_in = jax.tree.map(itemgetter(clip), self.batch.stand_ins(baseline))
                arrays |= stored_arrays(f"baseline.{name}", stand_in)
            store.put("clip", series, self.name(clip), arrays, note=self.note(clip))


def explained_class(cell: Cell, case: Case, clip_logits: np.ndarray) -> OneTarget:
    """The class that a cell explains of a clip, or what tells it from another, or a function of the logits."""
    if callable(cell.target):
        return cell.target
    logits = np.asarray(clip_logits)
    own = {"predicted": predicted_class(logits, cell.shown), "label": case.label}.get(str(cell.target), cell.target)
    if cell.against == "":
        return int(own)
    others = np.argsort(-class_scores(logits, cell.shown), kind="stable")
    second = next(other for other in others.tolist() if other != int(own))
    other = second if cell.against in ("second", int(own)) else int(cell.against)
    return Contrast(int(own), other)
