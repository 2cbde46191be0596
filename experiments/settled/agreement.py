"""Whether "settled" masks settle: the order that a run stops at against a ledger of twenty times as many masks.

    python experiments/settled/agreement.py
    python experiments/settled/agreement.py --clips 4 --most 1000 --output runs/settled/few.jsonl

Each clip is a smooth random one under a small network of its own with drawn weights, so that millions of masks take
minutes of one core; the grid has two cells along each axis, of which the three most salient must be in order. An order
is right if the larger ledger, which has no mask in common with the first, has the same cells in the same order. A clip
is one line of `--output`; the same command takes up the lines that are there.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
import tyro

import jaxsal
from jaxsal.saliency.settled import ledger_order

SHAPE, BLOCKS = (4, 16, 16, 3), (2, 2, 2)
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
    output: Path = Path("runs/settled/agreement.jsonl")
    """Where the clips' lines go."""


class Small(nn.Module):
    """A convolution whose kernels do not overlap, then two linear layers: matrix products, which a CPU is fast at."""

    @nn.compact
    def __call__(self, clips: Any) -> Any:
        """The logits of two classes."""
        frames, height, width, channels = clips.shape[-4:]
        (t, h, w), (a, b, c) = BLOCKS, (frames // BLOCKS[0], height // BLOCKS[1], width // BLOCKS[2])
        cut = clips.reshape(-1, t, a, h, b, w, c, channels).transpose(0, 1, 3, 5, 2, 4, 6, 7)
        activations = nn.relu(nn.Dense(8)(cut.reshape(-1, t, h, w, a * b * c * channels)))
        return nn.Dense(2)(nn.relu(nn.Dense(32)(activations.reshape(len(activations), -1))))


class Outcome(NamedTuple):
    """What was found of a clip: masks that were used, whether they settled the order, and whether it is right."""

    masks: int
    settled: bool
    right: bool


def main(config: Config) -> None:
    """Prints how many orders were settled, how many of them are right, and what was saved."""
    began = time.process_time()
    lines = config.output.read_text().splitlines() if config.output.exists() else []
    config.output.parent.mkdir(parents=True, exist_ok=True)
    for number in range(len(lines), config.clips):
        lines.append(json.dumps(of_clip(number, config)))
        config.output.write_text("\n".join(lines) + "\n")
    used, settled, right = map(np.array, zip(*map(json.loads, lines[: config.clips]), strict=True))
    saved = 1 - np.median(used[settled]) / config.most
    print(
        f"{settled.sum()} of {len(used)} orders of {config.cells} cells settled within {config.most:,} masks; "
        f"{right[settled].sum()} of these are those of {FACTOR} times as many masks, {right[~settled].sum()} of the "
        f"{(~settled).sum()} others\n"
        f"masks: median {np.median(used):,.0f}; of settled orders {np.median(used[settled]):,.0f}, so that {saved:.0%} "
        f"of {config.most:,} are saved, from {used[settled].min():,} to {used[settled].max():,}\n"
        f"{time.process_time() - began:.0f} s of processor time for {config.clips} clips"
    )


def of_clip(number: int, config: Config) -> Outcome:
    """Explains one clip twice."""
    options = dict(grid_shape=BLOCKS, keep_prob=0.5, scores="logits", chunk_size=512)
    key = jax.random.key(number)
    clip = jax.image.resize(jax.random.uniform(key, (*BLOCKS, 3)), SHAPE, "linear")
    classifier = jaxsal.Classifier.from_model(Small(), Small().init(jax.random.fold_in(key, 1), clip[None]))
    wanted = dict(settled_cells=config.cells, confidence=config.confidence, most_masks=config.most)
    ledger = jaxsal.rise_ledger(key, classifier, clip, num_masks="settled", **wanted, **options)
    order, count = ledger_order(ledger, top=config.cells), len(ledger.ids)
    larger = jaxsal.rise_ledger(jax.random.fold_in(key, 2), classifier, clip, num_masks=FACTOR * count, **options)
    true = ledger_order(larger, top=config.cells)
    return Outcome(count, count < config.most, bool((order.cells == true.cells).all()))


if __name__ == "__main__":
    main(tyro.cli(Config))
