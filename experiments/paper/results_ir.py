"""The study's results on infrared clips: method x training spectrum x network.

    python experiments/paper/results_ir.py --output runs/paper

Grad-CAM, RISE, SIDU, a random and a constant map, for networks trained on IR and on IRTV.

Hardware and time: the networks first (networks.py), then minutes on two processor cores (preset small).
Expected: every insertion above the random map's; deletion near the floor where any removal ends the prediction.
"""

from dataclasses import dataclass

import tyro

from jaxsal.commands.cli import run_verb
from jaxsal.commands.paper import Paper


@dataclass(frozen=True)
class ResultsIR(Paper):
    """The study's results on infrared clips: method x training spectrum x network."""

    only: tuple[str, ...] = ("results-ir",)


if __name__ == "__main__":
    run_verb(tyro.cli(ResultsIR))
