"""How long a large sweep takes to plan and to report: 100,000 cells, and a store of 10^9 scores.

    python experiments/bench/plan.py

Nothing is scored: the cells are of a toy network on two clips, and the store's records have spans and no arrays.
"""

import cProfile
import json
import pstats
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import tyro

from jaxsal import Classifier
from jaxsal.datasets import records
from jaxsal.evaluation import grid
from jaxsal.evaluation.cells import Case
from jaxsal.evaluation.config import ClipChoice, MethodGrid, SweepConfig
from jaxsal.evaluation.grid import Network, expand
from jaxsal.evaluation.parts import Record, encode
from jaxsal.evaluation.plan import make_plan
from jaxsal.evaluation.status import status
from jaxsal.evaluation.store import Store
from jaxsal.training.networks import NetworkSpec


@dataclass(frozen=True)
class Config:
    """The sizes."""

    cells: int = 100_000
    series: int = 1_000
    """Sets of scores that the cells read, at most as many as cells."""
    masks: int = 500_000
    """Of every clip and set of scores; two clips and 1,000 sets make 10^9 scores."""
    masks_per_record: int = 10_000
    profile: bool = False
    """Print where the time went."""


def toy_network() -> Network:
    """A classifier without a network."""
    spec = NetworkSpec(("down", "up"), "IRTV", width=2, num_frames=4, size=18, crop=16)
    classifier = Classifier.from_functions(
        lambda params, clip: clip * params, lambda params, a: a.mean(axis=(0, 1, 2))[:2], jnp.ones(3)
    )
    return Network("toy", spec, classifier)


def sweep_config(config: Config, store: str) -> SweepConfig:
    """A grid of RISE: a keep_prob for every set of scores, numbers of masks, kinds of score and targets to read out."""
    readings = config.cells // config.series
    counts = np.linspace(config.masks / readings, config.masks, readings // 4).astype(int).tolist()
    probabilities = np.linspace(0.05, 0.95, config.series).tolist()
    options = {"keep_prob": probabilities, "num_masks": counts, "scores": ["logits", "probabilities"]}
    method = MethodGrid("rise", options=options, target=(0, 1))
    return SweepConfig(store, ("toy",), (method,), (ClipChoice("synthetic", per_spectrum=2),), ("IR",), curve_steps=9)


def fill(config: Config, groups: list[Any], folder: str) -> None:
    """Writes a store that has all scores, in spans without arrays."""
    (group,) = groups
    (Path(folder) / "parts").mkdir(parents=True)
    described = {series: group.describe_scores(found.cell) for series, found in group.score_sets.items()}
    for number, case in enumerate(group.cases):
        spans = [(start, start + config.masks_per_record) for start in range(0, config.masks, config.masks_per_record)]
        rows = [
            Record("scores", series, case.name, span, {"digest": "d"}, {}) for series in described for span in spans
        ]
        content = encode(rows, described, writer=str(number), time=0.0)
        (Path(folder) / "parts" / f"{number}-0.part").write_bytes(content)


def timed(name: str, action: Callable[[], Any], times: dict[str, float], profile: bool) -> Any:
    """What an action gives; its seconds are noted."""
    profiler = cProfile.Profile()
    start = time.perf_counter()
    result = profiler.runcall(action) if profile else action()
    times[name] = round(time.perf_counter() - start, 2)
    if profile:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(25)
    return result


def main(config: Config) -> None:
    """Prints one line of JSON."""
    times: dict[str, float] = {}
    cases = [Case(f"clip {number}", "IR", number, records.white_frames) for number in range(2)]
    grid._cases = lambda *arguments: cases
    with tempfile.TemporaryDirectory() as folder:
        sweep = timed("config", lambda: sweep_config(config, folder), times, config.profile)
        groups = timed("expand", lambda: expand(sweep, [toy_network()]), times, config.profile)
        plan, _ = timed("plan", lambda: make_plan(groups, None), times, config.profile)
        fill(config, groups, folder)
        store = timed("open the store", lambda: Store(folder), times, config.profile)
        timed("plan what is left", lambda: make_plan(groups, store), times, config.profile)
        found = timed("status", lambda: status(sweep, groups), times, config.profile)
    sizes = dict(cells=plan.cells, scores=found.data["plan"]["masks_done"])
    print(json.dumps(sizes | dict(seconds=times)))


if __name__ == "__main__":
    main(tyro.cli(Config))
