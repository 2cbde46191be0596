"""The error of a RISE map at equal forward passes: the plain sum against "centered", independent masks against others.

    python experiments/bench/estimators.py --checkpoint runs/demo runs/pan
    python experiments/bench/estimators.py --quick

For every network and keep probability one ledger of 100,000 masks is the reference; ledgers of ten other keys and of
every way of drawing masks are read at N = 100, 200, 400, .. The error is the root mean square over voxels of the
difference from the reference's "centered" map, with the reference's own squared standard error taken off, as a share of
that map's standard deviation. Without --checkpoint the networks have random weights. Ledgers are kept in --ledgers, so
a run that was killed goes on; 250,000 passes a network, an hour for the demo's on two cores.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
from subjects import Subject, subjects
from timing import write_json

from jaxsal import RiseLedger, rise_ledger
from jaxsal.core.devices import use_all_cores
from jaxsal.evaluation.cells import file_name

VARIANTS = (  # estimator, sampling; the first is the paper's
    ("mean", "independent"),
    ("centered", "independent"),
    ("mean", "stratified"),
    ("centered", "stratified"),
    ("mean", "sobol"),
    ("centered", "sobol"),
)


@dataclass(frozen=True)
class Config:
    """What is compared."""

    checkpoint: tuple[Path, ...] = ()
    """Folders of trained networks."""
    reference: int = 100_000
    """Masks of the reference."""
    counts: tuple[int, ...] = (100, 200, 400, 800, 1600)
    """N at which maps are read."""
    keep_prob: tuple[float, ...] = (0.1, 0.5)
    """p."""
    seeds: int = 10
    """Keys of the compared maps."""
    grid_shape: tuple[int, int, int] = (2, 8, 8)
    chunk_size: int = 16
    ledgers: Path = Path("runs/bench/ledgers")
    """Where scores are kept."""
    quick: bool = False
    """A look in under a minute: tiny random networks, a reference of 1,024 masks, p = 0.5."""
    output: Path = Path("runs/bench/estimators.json")
    """Where the figures go."""


def main(config: Config) -> None:
    """Runs all, prints a table per network and keep probability and writes JSON."""
    if config.quick:
        config = dataclasses.replace(
            config, reference=1_024, counts=(64, 128, 256), keep_prob=(0.5,), grid_shape=(2, 4, 4)
        )
    use_all_cores()
    results = []
    for subject in subjects(config.checkpoint, quick=config.quick):
        for keep_prob in config.keep_prob:
            rows = compare(config, subject, keep_prob)
            print(f"\n{subject.name}, p = {keep_prob}\n\n{table(config.counts, rows)}", flush=True)
            results.append(dict(network=subject.name, keep_prob=keep_prob, target=subject.target, rows=rows))
            write_json(config.output, dict(config=dataclasses.asdict(config), results=results))


def compare(config: Config, subject: Subject, keep_prob: float) -> list[dict[str, Any]]:
    """One row per estimator and way of drawing."""
    target = subject.target
    reference = _ledger(config, subject, 0, config.reference, keep_prob, "independent")
    truth = np.asarray(reference.map(target, estimator="centered"))
    noise = float(np.mean(np.square(reference.stderr(target, estimator="centered"))))
    errors: dict[tuple[str, str], list[list[float]]] = {variant: [] for variant in VARIANTS}
    for seed in range(1, config.seeds + 1):
        for sampling in ("independent", "stratified", "sobol"):
            ledger = _ledger(config, subject, seed, max(config.counts), keep_prob, sampling)
            for estimator, drawn in VARIANTS:
                if drawn == sampling:
                    maps = [ledger.map(target, estimator=estimator, num_masks=n) for n in config.counts]
                    squares = [np.mean(np.square(np.asarray(found) - truth)) - noise for found in maps]
                    errors[estimator, sampling].append(np.sqrt(np.maximum(squares, 0)) / truth.std())
    plain = np.sqrt(np.mean(np.square(errors[VARIANTS[0]]), axis=0))
    taken_off = float(noise**0.5 / truth.std())
    return [
        summary(config.counts, variant, np.asarray(values), plain) | dict(reference_noise=taken_off)
        for variant, values in errors.items()
    ]


def _ledger(config: Config, subject: Subject, seed: int, num_masks: int, keep_prob: float, sampling: str) -> RiseLedger:
    grid = "x".join(map(str, config.grid_shape))
    name = f"{file_name(subject.name)}-{grid}-p{keep_prob:g}-{sampling}-seed{seed}.npz"
    return rise_ledger(
        jax.random.key(seed),
        subject.classifier,
        subject.clip,
        path=None if config.quick else config.ledgers / name,
        num_masks=num_masks,
        keep_prob=keep_prob,
        grid_shape=config.grid_shape,
        sampling=sampling,
        chunk_size=config.chunk_size,
    )


def summary(counts: Sequence[int], variant: tuple[str, str], errors: np.ndarray, plain: np.ndarray) -> dict[str, Any]:
    """One row: the root mean square over seeds at every N, its range, and the masks for the plain sum's last error.

    Args:
      counts: N.
      variant: Estimator and sampling.
      errors: Per seed and N.
      plain: The plain sum's error at every N.
    """
    rmse = np.sqrt(np.mean(np.square(errors), axis=0))
    needed = masks_for_error(counts, rmse, float(plain[-1]))
    return dict(
        estimator=variant[0],
        sampling=variant[1],
        rmse=rmse.tolist(),
        lowest=errors.min(axis=0).tolist(),
        highest=errors.max(axis=0).tolist(),
        seeds=len(errors),
        masks_for_plain_error=needed if np.isfinite(needed) else None,
    )


def masks_for_error(counts: Sequence[int], errors: np.ndarray, wanted: float) -> float:
    """N at which a falling error is `wanted`, by straight lines between the logarithms; 0 or infinity beyond them."""
    falling = np.minimum.accumulate(errors)
    if wanted >= falling[0]:
        return float(counts[0]) if wanted == falling[0] else 0.0
    if wanted < falling[-1]:
        return float("inf")
    logs = np.log(np.maximum(falling, 1e-30))
    return float(np.exp(np.interp(np.log(wanted), logs[::-1], np.log(counts)[::-1])))


def table(counts: Sequence[int], rows: list[dict[str, Any]]) -> str:
    """Rows of `summary` as a Markdown table."""
    lines = [
        "| estimator, masks | "
        + " | ".join(f"N = {count}" for count in counts)
        + f" | masks for the plain sum's error at {counts[-1]} |",
        "|---|" + "--:|" * (len(counts) + 1),
    ]
    for row in rows:
        errors = zip(row["rmse"], row["lowest"], row["highest"], strict=True)
        cells = [f"{middle:.3f} ({low:.3f} to {high:.3f})" for middle, low, high in errors]
        needed = row["masks_for_plain_error"]
        shown = f"< {counts[0]}" if needed == 0 else f"> {counts[-1]}" if needed is None else f"{needed:.0f}"
        lines.append(f"| {row['estimator']}, {row['sampling']} | {' | '.join(cells)} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config))
