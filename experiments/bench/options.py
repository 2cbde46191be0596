"""What the options that change numbers gain, and what they change; and two savings that are not offered, with why.

    python experiments/bench/options.py --checkpoint runs/demo runs/pan
    python experiments/bench/options.py --quick

Variants take turns. Per network: scoring in bfloat16 against float32; deletion and insertion by
approximation="refine" at several tolerances against all steps; RISE with stratified and Sobol masks against independent
ones (their errors are in estimators.py); normalisation fused into the blend, normalize(M x + (1 - M) mean) =
M normalize(x), against masking and then normalising; and, of PAN, the share of segments that
an earlier mask cut alike, with what could be saved at most. Without --checkpoint the networks have random weights.
Minutes for the demo's networks on two cores.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from scipy.stats import spearmanr
from segments import repeated_share, stem_share
from subjects import Subject, subjects
from timing import compare, table, times_in_turns, write_json

from jaxsal import deletion, insertion, rise
from jaxsal.core.devices import use_all_cores
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import Batch, prepare
from jaxsal.engine.classifiers import mask_shape
from jaxsal.engine.masks import ActivationMasks, RankMasks
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.scoring import score
from jaxsal.metrics.steps import rank_maps
from jaxsal.recipes import RECIPES

TOLERANCES = (0.01, 0.02, 0.05)


@dataclass(frozen=True)
class Config:
    """What is compared."""

    checkpoint: tuple[Path, ...] = ()
    """Folders of trained networks."""
    num_masks: int = 256
    """RISE: N."""
    num_steps: int = 100
    """Of a curve."""
    chunk_size: int = 16
    rounds: int = 7
    """Turns that are timed."""
    quick: bool = False
    """A look in a minute: a tiny random 3D-ResNet18, 32 masks; nothing of PAN."""
    output: Path = Path("runs/bench/options.json")
    """Where the figures go."""


def main(config: Config) -> None:
    """Compares all options of every network, prints tables and writes JSON."""
    if config.quick:
        config = dataclasses.replace(config, num_masks=32, num_steps=33)
    use_all_cores()
    results: dict[str, Any] = {}
    chosen = subjects(config.checkpoint, quick=config.quick)
    for subject in chosen[:1] if config.quick else chosen:
        saliency = np.asarray(_rise(config, subject))
        found = dict(
            precision=precision(config, subject, saliency),
            refine=refined_curves(config, subject, saliency),
            sampling=samplings(config, subject),
            fused=fused_normalization(config, subject),
        )
        if subject.spec.arch == "pan":
            found["segments"] = repeated_segments(config, subject, saliency)
        results[subject.name] = found
        for option, figures in found.items():
            rows = figures.pop("rows", None)
            print(f"\n{subject.name}: {option}\n" + ("" if rows is None else f"\n{table(rows)}\n"))
            print("\n".join(f"- {name}: {_shown(value)}" for name, value in figures.items()), flush=True)
            figures["rows"] = rows
        write_json(config.output, dict(config=dataclasses.asdict(config), results=results))


def _rise(config: Config, subject: Subject, **options: Any) -> jax.Array:
    chosen: Any = dict(num_masks=config.num_masks, chunk_size=config.chunk_size, estimator="centered") | options
    return rise(jax.random.key(0), subject.classifier, subject.clip, subject.target, **chosen)


def _masks(config: Config, subject: Subject) -> RiseMasks:
    shape = mask_shape(subject.classifier, subject.clip.shape)
    return RiseMasks.draw(jax.random.key(0), config.num_masks, 0.1, shape, (2, 8, 8), "mirror", "own")


def _timed(config: Config, variants: dict[str, Callable[[], Any]], work: int, unit: str) -> list[dict[str, Any]]:
    """Rows of the variants, compared with the first."""
    seconds = times_in_turns(variants, rounds=config.rounds)
    return compare(seconds, against=next(iter(variants)), work=work, unit=unit)


def precision(config: Config, subject: Subject, saliency: np.ndarray) -> dict[str, Any]:
    """bfloat16 against float32: time, order of the map's voxels, areas under the curves of one map."""
    rounded = subject._replace(classifier=subject.classifier.with_precision("bfloat16"))
    runs = {"float32": partial(_rise, config, subject), "bfloat16": partial(_rise, config, rounded)}
    found = dict(
        rows=_timed(config, runs, config.num_masks, "masks"),
        spearman=float(spearmanr(saliency.ravel(), np.ravel(_rise(config, rounded))).statistic),
    )
    for measure in (deletion, insertion):
        auc, changed = (float(_curve(measure, config, s, saliency).auc) for s in (subject, rounded))
        found[f"{measure.__name__} AUC, float32"] = auc
        found[f"{measure.__name__} AUC, bfloat16"] = changed
    return found


def _curve(measure: Any, config: Config, subject: Subject, saliency: np.ndarray, **options: Any) -> Any:
    options = dict(num_steps=config.num_steps, chunk_size=config.chunk_size) | options
    return measure(subject.classifier, subject.clip, saliency, subject.target, **options)


def refined_curves(config: Config, subject: Subject, saliency: np.ndarray) -> dict[str, Any]:
    """Both curves from some of their steps against all steps: time, steps scored, and how far off the areas are."""

    def both(**options: Any) -> list[Any]:
        return [_curve(measure, config, subject, saliency, **options) for measure in (deletion, insertion)]

    runs = {"all steps": both}
    for tolerance in TOLERANCES:
        runs[f"refine, {tolerance}"] = partial(both, approximation="refine", tolerance=tolerance)
    found: dict[str, Any] = dict(rows=_timed(config, runs, 2, "curves"))
    exact = both()
    for name, run in list(runs.items())[1:]:
        for measure, curve, truth in zip(("deletion", "insertion"), run(), exact, strict=True):
            found[f"{measure}, {name}: steps scored"] = curve.num_scored
            found[f"{measure}, {name}: AUC off by"] = float(curve.auc) - float(truth.auc)
            off = np.abs(np.asarray(curve.scores) - np.asarray(truth.scores)).max()
            found[f"{measure}, {name}: scores off by at most"] = float(off)
    return found


def samplings(config: Config, subject: Subject) -> dict[str, Any]:
    """What drawing other grids costs."""
    runs = {name: partial(_rise, config, subject, sampling=name) for name in ("independent", "stratified", "sobol")}
    return dict(rows=_timed(config, runs, config.num_masks, "masks"))


def fused_normalization(config: Config, subject: Subject) -> dict[str, Any]:
    """Masking the normalised clip against normalising the masked one; the same up to rounding."""
    classifier, clip = subject.classifier, jnp.asarray(subject.clip)
    masks = _masks(config, subject)
    ids = np.arange(config.num_masks, dtype=np.int32)
    bare = dataclasses.replace(classifier, mean=None, std=None)
    normalised = Batch(bare, classifier.normalize(clip)[None], [clip])  # values that `prepare` would refuse
    variants = {
        "masked, then normalised": (prepare(classifier, [clip]), Baseline.of("mean")),
        "normalised, then masked": (normalised, Baseline.of("zero")),
    }
    options: Any = dict(pairs=np.zeros((len(ids), 2), np.int32), ids=ids, chunk_size=config.chunk_size)
    runs = {
        name: partial(score, batch, [masks], baseline=baseline, **options)
        for name, (batch, baseline) in variants.items()
    }
    first, second = (np.asarray(run()) for run in runs.values())
    off = float(np.abs(first - second).max() / np.abs(first).max())
    rows = _timed(config, runs, config.num_masks, "masks")
    return {"rows": rows, "logits off by, of the largest": off}


def repeated_segments(config: Config, subject: Subject, saliency: np.ndarray) -> dict[str, Any]:
    """Per method the share of repeated (mask, segment) pairs, and the share of PAN's operations that it could save."""
    classifier, clip = subject.classifier, jnp.asarray(subject.clip)
    activations = jax.jit(lambda classifier, clip: classifier.features(clip))(classifier, clip)
    options = RECIPES["default"]
    ranks, counts = rank_maps(jnp.asarray(saliency)[None], clip.shape, options.deletion)
    families = {
        "RISE": (_masks(config, subject), config.num_masks),
        "SIDU": (
            ActivationMasks(activations, options.sidu.threshold, saliency.shape, options.sidu.alignment),
            activations.shape[-1],
        ),
        "deletion, insertion": (RankMasks(ranks[0], jnp.asarray(counts, jnp.int32), True), len(counts)),
    }
    stem = stem_share(dataclasses.replace(subject.spec, width=64, num_frames=32, size=256, crop=224))
    found: dict[str, Any] = {"operations before segments meet, in the published network": stem}
    for method, (masks, num_masks) in families.items():
        share = repeated_share(masks, num_masks, classifier.frames_per_mask)
        found[f"{method}: repeated segments"] = share
        found[f"{method}: operations saved at most, in the published network"] = share * stem
    return found


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main(tyro.cli(Config))
