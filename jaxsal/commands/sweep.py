"""`jaxsal sweep`: a grid of checkpoints, clips, spectra, methods and options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from jaxsal.annotations import called, left_out
from jaxsal.commands.output import Output
from jaxsal.commands.verb import Verb


@dataclass(frozen=True)
class Sweep(Verb):
    """Runs a grid of checkpoints, clips, spectra, methods and options; a killed sweep goes on where it was.

    Example: jaxsal sweep experiments/sweeps/demo.toml
    """

    config: Annotated[Path, tyro.conf.Positional, called("CONFIG")]
    """A .toml or .json file with the fields of `jaxsal.sweep.config.SweepConfig`, or a .py file that sets CONFIG."""
    status: bool = False
    """Only say what is there and what is left."""
    export: Annotated[Path | None, left_out("nothing is exported")] = None
    """Only write the results to this .csv or .parquet file."""
    merge: Annotated[tuple[str, ...], left_out("none", metavar="[STORE ...]")] = ()
    """Only take over what these other stores of the same sweep hold."""
    distributed: bool = False
    """Join the processes that JAX finds; done without being asked under SLURM and Open MPI."""

    goes_on: ClassVar[bool] = True

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
            join_processes(self.distributed)
            from jaxsal.sweep.run import run_sweep

            run_sweep(config)
        found = status(config)
        return Output(found.text, found.data)
