"""`jaxsal sweep`: a grid of checkpoints, clips, spectra, methods and options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Sweep:
    """Runs a grid of checkpoints, clips, spectra, methods and options; a killed sweep goes on where it was.

    Example: jaxsal sweep experiments/sweeps/demo.toml
    """

    config: Annotated[Path, tyro.conf.Positional]
    """A .toml or .json file with the fields of `jaxsal.sweep.config.SweepConfig`, or a .py file that sets CONFIG."""
    status: bool = False
    """Only say what is there and what is left."""
    export: Path | None = None
    """Only write the results to this .csv or .parquet file."""
    merge: tuple[str, ...] = ()
    """Only take over what these other stores of the same sweep hold."""
    distributed: bool = False
    """Join the processes that JAX finds; done without being asked under SLURM and Open MPI."""

    def run(self) -> None:
        """Runs the sweep, or does what was asked instead."""
        from jaxsal.processes import join_processes
        from jaxsal.sweep.config import load_config

        config = load_config(self.config)
        if self.export is not None:
            from jaxsal.sweep.export import export_results

            print(f"{export_results(config, self.export):,} results: {self.export}")
        elif self.status:
            from jaxsal.sweep.export import status_text

            print(status_text(config))
        elif self.merge:
            from jaxsal.sweep.merge import merge_stores

            print(merge_stores(config, self.merge))
        else:
            join_processes(self.distributed)
            from jaxsal.processes import is_first
            from jaxsal.sweep.export import status_text
            from jaxsal.sweep.run import run_sweep

            run_sweep(config)
            if is_first():
                print(status_text(config))
