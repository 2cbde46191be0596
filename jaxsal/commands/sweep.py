"""`jaxsal sweep`: a grid of checkpoints, clips, spectra, methods and options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxsal.commands.output import Output


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

    def run(self) -> Output:
        """Runs the sweep, or does what was asked instead; how far every cell is."""
        from jaxsal.processes import join_processes
        from jaxsal.sweep.config import load_config
        from jaxsal.sweep.export import export_results, status

        config = load_config(self.config)
        if self.export is not None:
            count = export_results(config, self.export)
            return Output(f"{count:,} results: {self.export}", dict(results=count, output=str(self.export)))
        if self.merge:
            from jaxsal.sweep.merge import merge_stores

            merged = merge_stores(config, self.merge)
            return Output(f"{merged['masks']:,} masks and {merged['results']:,} results taken over", merged)
        if not self.status:
            join_processes(self.distributed, survive=True)
            from jaxsal.sweep.run import run_sweep

            run_sweep(config)
        found = status(config)
        return Output(found.text, found.data)
