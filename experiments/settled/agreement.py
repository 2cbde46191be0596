"""Whether "settled" masks settle: the order that a run stops at against a ledger of twenty times as many masks.

    python experiments/settled/agreement.py
    python experiments/settled/agreement.py --clips 4 --most 1000

A small network with drawn weights scores smooth random clips, so that hundreds of thousands of masks take seconds. An
order is right if the larger ledger, which has no mask in common with the first, has the same cells in the same order.
"""

import time
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import tyro

import jaxsal
from jaxsal.saliency.settled import ledger_order

SHAPE = (4, 16, 16, 3)
FACTOR = 20


@dataclass(frozen=True)
class Config:
    """What is compared."""

    clips: int = 40
    """Clips, each under a network and masks of its own."""
    cells: int = 3
    """K: the most salient cells whose order must be settled."""
    confidence: float = 0.95
    """How sure that order must be."""
    most: int = 16_000
    """Masks at most."""


class Small(nn.Module):
    """Two convolutions, a mean, a linear layer."""

    @nn.compact
    def __call__(self, clips: Any) -> Any:
        """The logits of two classes."""
        activations = nn.relu(nn.Conv(4, (3, 3, 3), strides=(1, 2, 2))(clips))
        activations = nn.relu(nn.Conv(8, (3, 3, 3), strides=(2, 2, 2))(activations))
        return nn.Dense(2)(activations.mean(axis=(1, 2, 3)))


def main(config: Config) -> None:
    """Prints how many orders were settled, how many of them are right, and what was saved."""
    began, options = time.process_time(), dict(grid_shape=(2, 4, 4), keep_prob=0.5, scores="logits", chunk_size=256)
    used, right, settled = [], [], []
    for number in range(config.clips):
        key = jax.random.key(number)
        clip = jax.image.resize(jax.random.uniform(key, (2, 4, 4, 3)), SHAPE, "linear")
        classifier = jaxsal.Classifier.from_model(Small(), Small().init(jax.random.fold_in(key, 1), clip[None]))
        wanted = dict(settled_cells=config.cells, confidence=config.confidence, most_masks=config.most)
        ledger = jaxsal.rise_ledger(key, classifier, clip, num_masks="settled", **wanted, **options)
        count = len(ledger.ids)
        found = ledger_order(ledger, top=config.cells)
        larger = jaxsal.rise_ledger(jax.random.fold_in(key, 2), classifier, clip, num_masks=FACTOR * count, **options)
        true = ledger_order(larger, top=config.cells)
        used.append(count)
        settled.append(count < config.most)
        right.append(bool((found.cells == true.cells).all()))
    used, right, settled = np.array(used), np.array(right), np.array(settled)
    print(
        f"{settled.sum()} of {config.clips} orders of {config.cells} cells settled by fewer than {config.most:,} masks"
    )
    print(f"{right[settled].sum()} of these {settled.sum()} are those of {FACTOR} times as many masks")
    print(f"{right[~settled].sum()} of the {(~settled).sum()} others are")
    print(
        f"masks: median {np.median(used):,.0f}, of settled ones {np.median(used[settled]):,.0f}; most {config.most:,}"
    )
    print(f"saved against {config.most:,} masks: median {1 - np.median(used) / config.most:.0%}")
    print(f"{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main(tyro.cli(Config))
