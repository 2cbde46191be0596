"""`jaxsal sweep`: a grid of checkpoints, clips, spectra, methods and options."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import tyro

from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.core.kinds import check_kind

if TYPE_CHECKING:
    from jaxsal.evaluation.config import SweepConfig
    from jaxsal.evaluation.groups import Group


@dataclass(frozen=True)
class Sweep(Verb):
    """Runs a grid of checkpoints, clips, spectra, methods and options; the same command resumes it.

    Example: jaxsal sweep experiments/sweeps/demo.toml
    """

    config: Annotated[Path, tyro.conf.Positional]
    """A .toml or .json file with the fields of `SweepConfig`, or a .py file that defines CONFIG and is executed."""
    dry_run: bool = False
    """Only print the plan: cells, how many of them the store holds, forward passes left; nothing is written."""
    status: bool = False
    """Only print how much of the sweep the store holds; the store must exist."""
    verify: bool = False
    """Before resuming, check the whole store and redo damaged results; results that are used are always checked."""
    export: Annotated[Path | None, unset("no export")] = None
    """Only write the results of the store to this .csv, .parquet or .zarr file."""
    merge: Annotated[tuple[str, ...], unset("none")] = ()
    """Only copy results from these other stores of the same sweep."""
    shard: Annotated[str, unset("all clips")] = "0/1"
    """I/N: do every N-th clip from the I-th on, I from 0, so that independent jobs of an array share a sweep."""
    distributed: bool = False
    """Share the work with the other processes that JAX finds; automatic under SLURM and Open MPI."""

    resumes: ClassVar[bool] = True

    def run(self) -> Output:
        """Runs the sweep and prints the means of what varies; or exports, merges, or reports every cell instead."""
        from jaxsal.core.processes import is_first, join_processes, wait_for_all
        from jaxsal.evaluation.config import load_config
        from jaxsal.evaluation.grid import open_groups
        from jaxsal.evaluation.sweep import run_sweep

        shard = parse_shard(self.shard)
        check_kind("merge", self.merge, tuple[Path, ...])
        config = load_config(self.config)
        join_processes(self.distributed)
        groups = None
        if not (self.dry_run or self.status or self.export or self.merge):
            groups = open_groups(config)
            run_sweep(config, groups, verify=self.verify, shard=shard)
        output = self._report(config, groups) if is_first() else Output("", {})
        wait_for_all("the first process has said how far the sweep is")
        return output

    def _report(self, config: "SweepConfig", groups: "list[Group] | None") -> Output:
        """The part of one process: exports, merges, or reports the progress."""
        if self.export is not None:
            from jaxsal.evaluation.results import open_results

            count = open_results(config.store).export(self.export)
            return Output(f"{count:,} results: {self.export}", dict(results=count, output=str(self.export)))
        from jaxsal.evaluation.status import merge_stores, status

        if self.merge:
            merged = merge_stores(config, self.merge)
            return Output(f"{merged['masks']:,} masks and {merged['results']:,} results copied", merged)
        progress = status(config, groups, new=self.dry_run)
        if groups is None:
            return Output(progress.text, progress.data)
        from jaxsal.evaluation.means import means_text
        from jaxsal.evaluation.results import open_results

        means = open_results(config.store).means()
        return Output(f"{means_text(means)}\n\n{progress.ending}", progress.data | dict(means=means))


def parse_shard(text: str) -> tuple[int, int]:
    """(i, n) of "I/N".

    Raises:
      ValueError: If it is no such text, or I is not below N.
    """
    parts = text.split("/")
    if len(parts) == 2 and all(part.isdigit() for part in parts) and int(parts[0]) < int(parts[1]):
        return int(parts[0]), int(parts[1])
    raise ValueError(f"`shard` must be I/N with I from 0 to N - 1, as 0/4; got {text!r}.")
