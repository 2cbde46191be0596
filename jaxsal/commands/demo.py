"""`jaxsal demo`: the main job on the embedded clips, from the training to the measured maps."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.core.checks import check_choice, check_positive
from jaxsal.core.controls import ControlChoice
from jaxsal.datasets.synthetic import ACTION_PAIRS
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.recipes import BaselineName
from jaxsal.training.options import EMBEDDED, TrainOptions

if TYPE_CHECKING:
    from jaxsal.datasets.records import ClipSet
    from jaxsal.evaluation.cells import Case
    from jaxsal.evaluation.explanation import Explanation
    from jaxsal.report.evidence import Evidence
    from jaxsal.training.checkpoint import Checkpoint, Variables
    from jaxsal.training.networks import NetworkSpec


class Preset(NamedTuple):
    """A small network that learns the embedded set on a CPU, its training and how its clips are explained.

    Attributes:
      network: Fields of `NetworkSpec` beside classes and spectra.
      training: How it is trained from random weights.
      retraining: How it is trained on from the weights that come with jaxsal.
      explaining: How its clips are explained; the baseline is the first of `BASELINES`.
    """

    network: dict[str, Any]
    training: TrainOptions
    retraining: TrainOptions
    explaining: ExplainOptions


class Task(NamedTuple):
    """What is done for one seed: the network, the clips, the training, the explaining, and which clips it is of."""

    spec: "NetworkSpec"
    start: "Variables | None"
    clip_set: "ClipSet"
    training: TrainOptions
    explaining: ExplainOptions
    cases: "list[Case]"


BASELINES: tuple[BaselineName, ...] = ("time_mean", "reverse")
"""Of deletion and of insertion: motion goes; motion runs backwards."""
CONTROLS: tuple[ControlChoice, ...] = ("smooth", "other")
EVIDENCE = "evidence.md"
QUANTILE = 0.85  # of activations on training clips: SIDU's threshold
EXPLAINING = ExplainOptions(
    controls=CONTROLS,
    num_masks=128,
    estimator="centered",
    num_steps=11,
    deletion_baseline=BASELINES[0],
    insertion_baseline=BASELINES[0],
    chunk_size=8,
)
TRAINING = TrainOptions(batch_size=4, learning_rate=3e-3, weight_decay=0.05, reversals=ACTION_PAIRS)
PRESETS = {
    "resnet3d18": Preset(
        dict(arch="resnet3d18", width=8, num_frames=16, size=64, crop=56),
        dataclasses.replace(TRAINING, num_steps=1600, save_every=200),
        dataclasses.replace(TRAINING, num_steps=160, learning_rate=5e-4, save_every=40),
        EXPLAINING,
    ),
    "pan": Preset(
        dict(arch="pan", width=8, num_frames=32, size=64, crop=56),
        dataclasses.replace(TRAINING, num_steps=1200, save_every=200),
        dataclasses.replace(TRAINING, num_steps=160, learning_rate=5e-4, save_every=40),
        EXPLAINING,
    ),
}


@dataclass(frozen=True)
class Demo(Verb):
    """Trains a small network on embedded clips of both spectra, explains held-out actors and measures the maps.

    Example: jaxsal demo --output runs/demo
    """

    output: Path = Path("runs/demo")
    """Folder of the run; the same command resumes an interrupted run."""
    network: Literal["resnet3d18", "pan"] = "resnet3d18"
    """Architecture of the network."""
    scratch: bool = False
    """Train from random weights; otherwise from weights that come with jaxsal, which were trained on the clips of
    another seed: other actors in other rooms."""
    seed: int = 0
    """Seed of the clips, the training and the explaining, 0 to 4294967295."""
    seeds: int = 1
    """Networks, at least 1: one for each seed from --seed on, each in a folder seed-N; tables are over all of them."""
    num_steps: Annotated[int | None, unset("160; with --scratch 1600, pan 1200")] = None
    """Training steps, at least 1."""
    clips_per_spectrum: int = 16
    """Test clips to explain per spectrum, 1 to 128; up to 16 show an actor each."""
    dry_run: bool = False
    """Check the inputs and print what would be done; nothing is written or computed."""

    resumes: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("grain", "matplotlib", "av")

    def run(self) -> Output:
        """Runs the demo; test accuracy, the tables and seconds by stage, of each network and of all together."""
        from jaxsal.core.files import write_text
        from jaxsal.report.evidence import evidence_sheets, evidence_text
        from jaxsal.report.sheet import to_records

        check_positive("clips_per_spectrum", self.clips_per_spectrum)
        check_positive("seeds", self.seeds)
        check_choice("network", self.network, tuple(PRESETS))
        if self.seeds == 1:
            return self._plan() if self.dry_run else self._one_network()[1]
        seeds = range(self.seed, self.seed + self.seeds)
        runs = {s: dataclasses.replace(self, seed=s, seeds=1, output=self.output / f"seed-{s}") for s in seeds}
        if self.dry_run:
            plans = {str(seed): run._plan() for seed, run in runs.items()}
            return Output("\n".join(plan.text for plan in plans.values()), {s: plan.data for s, plan in plans.items()})
        found = {str(seed): run._one_network() for seed, run in runs.items()}
        sheets = evidence_sheets([evidence for evidence, _ in found.values()], seed=self.seed)
        lines = [f"Seed {seed}: {line}" for seed, (one, _) in found.items() for line in one.accuracy_lines()]
        tables = "\n".join([*lines, "", evidence_text(sheets)])
        write_text(self.output / EVIDENCE, tables)
        together = {sheet.name: to_records(sheet) for sheet in sheets}
        text = f"{tables}\nEach network by itself: {self.output}/seed-N/{EVIDENCE}"
        return Output(text, {"seeds": {seed: output.data for seed, (_, output) in found.items()}, **together})

    def _task(self) -> "Task":
        """What is done for one seed."""
        from jaxsal.datasets.catalog import SYNTHETIC, open_clips
        from jaxsal.evaluation.cases import select_cases
        from jaxsal.training.networks import NetworkSpec
        from jaxsal.training.pretrained import open_pretrained
        from jaxsal.training.transfer import transferred

        fields, scratch, retraining, explaining = PRESETS[self.network]
        training = scratch if self.scratch else retraining
        start = None if self.scratch else open_pretrained(EMBEDDED[self.network])
        num_steps = training.num_steps if self.num_steps is None else self.num_steps
        training = dataclasses.replace(training, seed=self.seed, num_steps=num_steps)
        clip_set = open_clips(SYNTHETIC, height=fields["size"], num_frames=fields["num_frames"], seed=self.seed)
        spec = NetworkSpec(clip_set.classes, "IRTV", **fields)
        cases = select_cases(spec, clip_set.select(split="test"), self.clips_per_spectrum)
        weights = None if start is None else transferred(spec, start)
        return Task(spec, weights, clip_set, training, dataclasses.replace(explaining, seed=self.seed), cases)

    def _one_network(self) -> "tuple[Evidence, Output]":
        """Trains, explains and measures for one seed."""
        from jaxsal.core.files import make_folder, write_text
        from jaxsal.datasets.pipeline import load_clips
        from jaxsal.report.evidence import evidence_text
        from jaxsal.report.sheet import to_records
        from jaxsal.training.accuracy import accuracy_by_spectrum
        from jaxsal.training.activations import activation_quantile
        from jaxsal.training.train import train

        spec, start, clip_set, training, explaining, cases = self._task()
        make_folder("output", self.output)
        seconds: dict[str, float] = {}
        load = partial(load_clips, size=spec.size, sampler=spec.sampler, antialias=spec.antialias, progress=True)
        with _timed("render", seconds):
            train_clips, test_clips = (load(clip_set.select(split=split)) for split in ("train", "test"))
        with _timed("train", seconds):
            trained = train(spec, training, train_clips, self.output, start=start, progress=True)
            accuracy = accuracy_by_spectrum(spec, trained.variables, test_clips)
            threshold = activation_quantile(spec, trained.variables, train_clips, QUANTILE)
        with _timed("explain and report", seconds):
            evidence = self._explain(trained, cases, dataclasses.replace(explaining, threshold=threshold), accuracy)
            sheets = evidence.sheets(seed=self.seed)
            tables = evidence_text(sheets)
            write_text(self.output / EVIDENCE, tables)
        stages = ", ".join(f"{stage} {spent:.0f} s" for stage, spent in seconds.items())
        lines = [*evidence.accuracy_lines(), "", tables, f"{stages}. Tables, curves and overlays: {self.output}"]
        found = {sheet.name: to_records(sheet) for sheet in sheets}
        numbers = dict(accuracy=accuracy, threshold=threshold, seconds=seconds, output=str(self.output))
        return evidence, Output("\n".join(lines), numbers | found)

    def _explain(
        self,
        trained: "Checkpoint",
        cases: "Sequence[Case]",
        explaining: ExplainOptions,
        accuracy: dict[str, tuple[float, int]],
    ) -> "Evidence":
        """Explains the clips, under one baseline after the other; maps and scores are made once."""
        from jaxsal.evaluation.explain import FOLDER, explain_cases
        from jaxsal.report.evidence import Evidence
        from jaxsal.report.folder import explain_to_folder, known_masks

        spec, classifier = trained.spec, trained.spec.classifier(trained.variables)
        explain = partial(explain_cases, clip_shape=spec.clip_shape, classes=spec.classes, progress=True)
        first, *others = BASELINES
        explained: dict[str, list[Explanation]] = {}
        further = 0
        for baseline in others:
            options = dataclasses.replace(explaining, deletion_baseline=baseline, insertion_baseline=baseline)
            explained[baseline], places = explain(classifier, cases, options, self.output / FOLDER)
            further += sum(len(place.cells) for place in places)
        written = explain_to_folder(
            self.output,
            trained,
            cases,
            explaining,
            command=self.command,
            accuracy=accuracy,
            outline=True,
            further_results=further,
        )
        explained = {first: written.explanations, **explained}
        return Evidence(explained, known_masks(cases), accuracy)

    def _plan(self) -> Output:
        """What a run would do, for --dry-run."""
        from jaxsal.core.sealed import read_json
        from jaxsal.evaluation.outline import outline_explaining, steps_taken
        from jaxsal.training.checkpoint import load_checkpoint

        spec, _, _, training, explaining, cases = self._task()
        steps = training.num_steps
        done = steps_taken(spec, self.output, steps)
        variables = load_checkpoint(self.output / "checkpoints").variables if done == steps else None
        if (run := self.output / "run.json").is_file():
            options = read_json(run, "Run the demo without --dry-run: it writes the file again.")["options"]
            explaining = dataclasses.replace(explaining, threshold=options["threshold"])
        files = "checkpoints", "history.jsonl", EVIDENCE, "actor.csv", "actor_contrasts.csv"
        outline = outline_explaining(
            spec, variables, cases, explaining, self.output, files=files, steps=steps, steps_done=done
        )
        return Output(outline.text, outline.data)


@contextmanager
def _timed(stage: str, seconds: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
