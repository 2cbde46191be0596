"""`jaxsal sweep`: a grid of checkpoints, clips, spectra, methods and options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from jaxsal.commands.annotations import called, left_out
from jaxsal.commands.output import Output
from jaxsal.commands.verb import Verb


@dataclass(frozen=True)
class Sweep(Verb):
    """Runs a grid of checkpoints, clips, spectra, methods and options; a killed sweep goes on where it was.

    Example: jaxsal sweep experiments/sweeps/demo.toml
    """

    config: Annotated[Path, tyro.conf.Positional, called("CONFIG")]
    """A .toml or .json file with the fields of a `SweepConfig`, or a .py file that sets CONFIG."""
    dry_run: bool = False
    """Only print the plan: cells, what the store holds of them if there is one, forward passes to do."""
    status: bool = False
    """Only say what the store holds and what is left; it has to be there."""
    verify: bool = False
    """Read saved maps and curves too before going on, and make damaged ones again; scores always are."""
    export: Annotated[Path | None, left_out("nothing is exported")] = None
    """Only write the results to this .csv or .parquet file."""
    merge: Annotated[tuple[str, ...], left_out("none", metavar="[STORE ...]")] = ()
    """Only take over what these other stores of the same sweep hold."""
    distributed: bool = False
    """Join the processes that JAX finds; done without being asked under SLURM and Open MPI."""

    goes_on: ClassVar[bool] = True

    def run(self) -> Output:
        """Runs the sweep, or does what was asked instead; how far every cell is."""
        from jaxsal.core.processes import is_first, join_processes, wait_for_all
        from jaxsal.evaluation.sweep.config import load_config
        from jaxsal.evaluation.sweep.run import open_groups, run_sweep

        config = load_config(self.config)
        join_processes(self.distributed, survive=True)
        groups = None
        if not (self.dry_run or self.status or self.export or self.merge):
            groups = open_groups(config)
            run_sweep(config, groups, verify=self.verify)
        output = self._report(config, groups) if is_first() else Output("", {})
        wait_for_all("the first process has said how far the sweep is")
        return output

    def _report(self, config: Any, groups: Any) -> Output:
        """What one process does: exports, merges, or says how far the sweep is."""
        from jaxsal.evaluation.sweep.export import export_results, status

        if self.export is not None:
            count = export_results(config, self.export)
            return Output(f"{count:,} results: {self.export}", dict(results=count, output=str(self.export)))
        if self.merge:
            from jaxsal.evaluation.sweep.merge import merge_stores

            merged = merge_stores(config, self.merge)
            return Output(f"{merged['masks']:,} masks and {merged['results']:,} results taken over", merged)
        found = status(config, groups, new=self.dry_run)
        return Output(found.text, found.data)
