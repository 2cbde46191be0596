"""Which baseline makes deletion and insertion rank saliency maps as the truth does?

    jaxsal demo --output runs/demo
    python experiments/trust/baselines.py --config small --checkpoint runs/demo --output runs/trust

Truth: the Shapley values of the space-time cells of a clip that are swapped for those of another clip of the same
actor, see `truth.py`. Every map of a clip is scored by its rank correlation with them, which ranks the maps; every
baseline of deletion and insertion ranks the same maps by their areas. The result is Kendall's tau between the two
rankings, clip by clip, in `tables.py` and `figure.py`. Results are kept clip by clip: the same command resumes.
"""

import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from clips import SWAPS, Subject, load, subjects
from figure import draw
from maps import Effort, Map, maps_of
from ranking import ClipResult
from tables import write_tables
from truth import Grid, pool, swap_truth

from jaxsal.classifier import Classifier
from jaxsal.core.compilation import keep_programs
from jaxsal.core.devices import use_all_cores
from jaxsal.core.files import write_text
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.origin import git_revision
from jaxsal.core.types import AnyArray, Clip
from jaxsal.engine.batch import Batch, prepare
from jaxsal.metrics.curve import read_curve
from jaxsal.metrics.curve_scores import curve_scores
from jaxsal.recipes import CurveOptions
from jaxsal.training.checkpoint import open_checkpoint

NAMED = ("zero", "mean", "blur", "gaussian", "time_mean", "first_frame", "reverse")
"""Baselines of the package that are compared; the clips that the truth swaps in are compared too, as arrays."""


@dataclass(frozen=True)
class Config:
    """How much is computed for every clip.

    Attributes:
      num_clips: Test clips, see `subjects`.
      grid: Cells in time, height and width.
      num_players: Cells that are swapped by themselves, and one player for all others.
      num_orders: Orders in which players join, for each swap.
      num_masks: Masks of RISE.
      active_share: Share of activations above the threshold of SIDU.
      num_steps: Scores of a curve.
      chunk_size: Masks in memory at once; changes speed, not the result.
      seed: Of the clips, the orders, RISE's masks and the controls.
    """

    num_clips: int
    grid: Grid = (4, 4, 4)
    num_players: int = 33
    num_orders: int = 12
    num_masks: int = 80
    active_share: float = 0.15
    num_steps: int = 7
    chunk_size: int = 8
    seed: int = 0


CONFIGS = {
    "small": Config(num_clips=16),
    "gpu": Config(
        num_clips=128,
        grid=(4, 7, 7),
        num_players=99,
        num_orders=256,
        num_masks=4000,
        num_steps=101,
        chunk_size=128,
    ),
}


@dataclass(frozen=True)
class Command:
    """Compares baselines; writes clips/*.json, baselines.md, baselines.csv, maps.csv and baselines.png.

    small: two processor cores, the network of `jaxsal demo`, one clip of each of 16 held-out actors; some 8 minutes of
      processor time, 14 minutes on two cores that other work kept busy.
    gpu: one accelerator, a network of full width at 224x224 trained by `jaxsal train`, not run yet.
    Expected (small, seed 7): tau of the baseline reverse 0.50 [0.42, 0.59] for deletion and 0.52 [0.44, 0.60] for
      insertion with the partner as truth; all others at most 0.50 and 0.43. See docs/baselines.md.
    """

    config: Literal["small", "gpu"] = "small"
    """How much is computed."""
    checkpoint: Path = Path("runs/demo")
    """Folder of a network trained on the embedded clips."""
    output: Path = Path("runs/trust")
    """Where results go; those of the same network and config are taken up."""
    seed: int = 0
    """Seed that the network's clips were made with."""


def main(command: Command) -> None:
    """Computes what is missing, then writes the tables and the figure from the files."""
    use_all_cores()
    keep_programs()
    config = dataclasses.replace(CONFIGS[command.config], seed=command.seed)
    results = run(config, command.checkpoint, command.output)
    print(write_tables(results, command.output))
    draw(results, command.output / "baselines.png")


def run(config: Config, checkpoint: Path, output: Path) -> list[ClipResult]:
    """The results of all clips, from the files of those that are there."""
    trained = open_checkpoint(checkpoint)
    classifier = trained.spec.classifier(trained.variables)
    weights = fingerprint(trained.variables)
    chosen = subjects(trained.spec, config.seed, config.num_clips)
    results, start = [], time.perf_counter()
    for number, subject in enumerate(chosen, 1):
        path = output / "clips" / f"{subject.name}.json"
        identity = dict(config=dataclasses.asdict(config) | dict(num_clips=None), weights=weights)
        found = read_result(path, identity)
        if found is None:
            clips = {name: load(trained.spec, record) for name, record in _records(subject).items()}
            found = explain_and_measure(classifier, subject, clips, config)
            made_by = dict(revision=git_revision(Path(__file__).parent))
            write_text(path, json.dumps(dict(identity=identity, made_by=made_by, result=found._asdict())))
            seconds = time.perf_counter() - start
            print(f"{number} of {len(chosen)} clips, {seconds:.0f} s: {subject.name}", file=sys.stderr, flush=True)
        results.append(found)
    return results


def _records(subject: Subject) -> dict[str, Any]:
    return {"clip": subject.record, "other": subject.other, **subject.swaps}


def read_result(path: Path, identity: dict[str, Any]) -> ClipResult | None:
    """The result of a file; None if there is none of the same network and config."""
    if not path.exists():
        return None
    held = json.loads(path.read_text())
    return ClipResult(**held["result"]) if held["identity"] == json.loads(json.dumps(identity)) else None


def explain_and_measure(classifier: Classifier, subject: Subject, clips: dict[str, Clip], config: Config) -> ClipResult:
    """All of one clip: its maps, what they should be, and their areas under every baseline."""
    batch = prepare(classifier, [clips["clip"]])
    target, other_target = (int(prepare(classifier, [clips[name]]).logits[0].argmax()) for name in ("clip", "other"))
    effort = Effort(config.num_masks, config.active_share, config.seed, config.chunk_size)
    maps = maps_of(classifier, subject.name, clips["clip"], target, clips["other"], other_target, effort)
    truths = {
        swap: swap_truth(
            classifier,
            clips["clip"],
            clips[swap],
            target,
            grid=config.grid,
            num_players=config.num_players,
            num_orders=config.num_orders,
            seed=config.seed,
            chunk_size=config.chunk_size,
        )
        for swap in SWAPS
    }
    baselines: dict[str, str | AnyArray] = {name: name for name in NAMED} | {swap: clips[swap] for swap in SWAPS}
    measured = {name: areas(batch, maps, target, baseline, config) for name, baseline in baselines.items()}
    return ClipResult(
        name=subject.name,
        spectrum=subject.spectrum,
        actor=subject.actor,
        label=subject.label,
        target=target,
        cells={name: pool(saliency, config.grid).tolist() for name, saliency in maps.items()},
        truths={swap: truth._asdict() for swap, truth in truths.items()},
        areas={name: found["areas"] for name, found in measured.items()},
        floors={name: found["floor"] for name, found in measured.items()},
    )


def areas(batch: Batch, maps: dict[str, Map], target: int, baseline: str | AnyArray, config: Config) -> dict[str, Any]:
    """The areas under both curves of every map, and the target's probability for the baseline itself, the floor."""
    options = CurveOptions(num_steps=config.num_steps, baseline=baseline)
    stacked, owners, targets = np.stack(list(maps.values())), [0] * len(maps), [target] * len(maps)
    found: dict[str, Any] = {"areas": {}}
    for measure, keep in (("deletion", False), ("insertion", True)):
        scores = curve_scores(batch, owners, stacked, targets, options, keep, chunk_size=config.chunk_size)
        curves = [read_curve(own, target, options) for own in scores]
        found["areas"][measure] = {name: float(curve.auc) for name, curve in zip(maps, curves, strict=True)}
        found["floor"] = float(curves[0].floor)
    return found


if __name__ == "__main__":
    main(tyro.cli(Command))
