"""RISE with 10^2, 10^3 and 10^4 masks (32, 128 and 512 with preset small).

    python experiments/paper/rise_masks.py --output runs/paper

One run of the largest number; the others are read out of the same scores.

Hardware and time: the networks first (networks.py), then minutes on two processor cores (preset small).
Expected: the study: more masks are better; the standard error of a map falls as 1 / sqrt(N).
"""

from dataclasses import dataclass

import tyro

from jaxsal.commands.cli import run_verb
from jaxsal.commands.paper import Paper


@dataclass(frozen=True)
class RiseMasks(Paper):
    """RISE with 10^2, 10^3 and 10^4 masks (32, 128 and 512 with preset small)."""

    only: tuple[str, ...] = ("rise-masks",)


if __name__ == "__main__":
    run_verb(tyro.cli(RiseMasks))
