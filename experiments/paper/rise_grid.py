"""RISE with grids of 2x8x8, 4x8x8 and 8x8x8 cells in time, height and width.

    python experiments/paper/rise_grid.py --output runs/paper

Cells in time as long as the recipe says.

Hardware and time: the networks first (networks.py), then minutes on two processor cores (preset small).
Expected: the study: the coarser grid in time is better.
"""

from dataclasses import dataclass

import tyro

from jaxsal.commands.cli import run_verb
from jaxsal.commands.paper import Paper


@dataclass(frozen=True)
class RiseGrid(Paper):
    """RISE with grids of 2x8x8, 4x8x8 and 8x8x8 cells in time, height and width."""

    only: tuple[str, ...] = ("rise-grid",)


if __name__ == "__main__":
    run_verb(tyro.cli(RiseGrid))
