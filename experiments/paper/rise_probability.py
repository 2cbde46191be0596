"""RISE with flip probabilities 0.10, 0.25 and 0.50: the chance of keeping a cell.

    python experiments/paper/rise_probability.py --output runs/paper

Masks are drawn anew for each probability, from the same key.

Hardware and time: the networks first (networks.py), then minutes on two processor cores (preset small).
Expected: the study: little effect.
"""

from dataclasses import dataclass

import tyro

from jaxsal.commands.cli import run_verb
from jaxsal.commands.paper import Paper


@dataclass(frozen=True)
class RiseProbability(Paper):
    """RISE with flip probabilities 0.10, 0.25 and 0.50: the chance of keeping a cell."""

    only: tuple[str, ...] = ("rise-probability",)


if __name__ == "__main__":
    run_verb(tyro.cli(RiseProbability))
