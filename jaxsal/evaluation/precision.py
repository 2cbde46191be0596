"""Whether a network in bfloat16 ranks voxels as it does in float32; every run in bfloat16 asks first."""

from functools import partial

import jax
import numpy as np

from jaxsal.core.devices import this_process_alone
from jaxsal.core.types import ClipTree, ScoreFn
from jaxsal.engine.batch import prepare
from jaxsal.engine.class_scores import own_kind, predicted_class
from jaxsal.engine.spectra import in_a_row
from jaxsal.evaluation.run import Opened, Run
from jaxsal.recipes import ChunkSize
from jaxsal.saliency.rise_ledger import rise_ledger

NUM_MASKS = 64
LEAST_AGREEMENT = 0.999


def rank_agreement(
    exact: ScoreFn, rounded: ScoreFn, clip: ClipTree, *, num_masks: int = NUM_MASKS, chunk_size: ChunkSize = "auto"
) -> float:
    """Spearman's correlation of two classifiers' RISE maps of a clip, from the same masks, over all voxels.

    Both maps are of the class that `exact` predicts, by the estimator "centered": that of "mean" has a part that
    depends on the masks alone, and would agree however wrong the scores were.

    Args:
      exact: Maps one clip to logits (K,).
      rounded: The same network in another precision, `classifier.with_precision("bfloat16")`.
      clip: The clip, (T, H, W, C), values in [0, 1]; or a scene, one clip for each spectrum by name.
      num_masks: Of each map.
      chunk_size: Masks in memory at once, as for `jaxsal.rise`.

    Returns:
      From -1 to 1; 1 for equal maps. NaN where one map alone has the same value everywhere.

    Raises:
      ValueError: If a clip, a classifier or a count is not allowed.
    """
    from scipy.stats import spearmanr  # half a second, which `jaxsal --help` need not wait for

    score = partial(rise_ledger, jax.random.key(0), clip=clip, num_masks=num_masks, chunk_size=chunk_size)
    ledgers = [score(score_fn=classifier) for classifier in (exact, rounded)]
    target = int(predicted_class(ledgers[0].clip_logits, own_kind(exact)))
    first, second = (in_a_row(ledger.map(target, estimator="centered")) for ledger in ledgers)
    if (first == second).all():
        return 1.0
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second)[0])


def check_precision(opened: Opened, run: Run) -> None:
    """Compares a rounded network with the one it was rounded from, once in a run; says if they rank differently."""
    group = opened.task.group
    if group.exact is None or group.exact is group.classifier or group.identity["weights"] in run.compared:
        return
    run.compared.add(group.identity["weights"])
    compare = partial(rank_agreement, group.exact, group.classifier, opened.clip)
    with run.progress.stage("precision"), this_process_alone():  # others may have compared theirs before
        agreement = run.chunks.run("rise", prepare(group.exact, [opened.clip]), compare)
    if not agreement >= LEAST_AGREEMENT:
        run.progress.say(
            f"{group.source or 'The network'} ranks voxels differently in bfloat16: on {opened.task.case.name}, RISE "
            f"maps of {NUM_MASKS} masks have a rank correlation of {agreement:.4f} with float32, below "
            f"{LEAST_AGREEMENT}. Use precision float32 where ranks matter.",
            always=True,
        )
