"""SIDU with thresholds -1, -0.5, 0, 0.5 and 1 on the last activations.

    python experiments/paper/sidu_threshold.py --output runs/paper

Below 0 every mask keeps everything and the map is constant.

Hardware and time: the networks first (networks.py), then minutes on two processor cores (preset small).
Expected: the study: 0.5 near the best, below 0 much worse.
"""

from dataclasses import dataclass

import tyro

from jaxsal.commands.cli import run_verb
from jaxsal.commands.paper import Paper


@dataclass(frozen=True)
class SiduThreshold(Paper):
    """SIDU with thresholds -1, -0.5, 0, 0.5 and 1 on the last activations."""

    only: tuple[str, ...] = ("sidu-threshold",)


if __name__ == "__main__":
    run_verb(tyro.cli(SiduThreshold))
