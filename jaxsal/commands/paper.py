"""`jaxsal paper`: the whole study, networks, tables and conclusions, at one of two scales."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.core.checks import check_positive
from jaxsal.core.kinds import check_fields
from jaxsal.recipes import Precision


@check_fields
@dataclass(frozen=True)
class Paper(Verb):
    """Reproduces the study: trains six networks, fills every table beside the published numbers, tests its conclusions.

    Example: jaxsal paper --preset small --output runs/paper
    """

    output: Path = Path("runs/paper")
    """Folder of the run; the same command resumes an interrupted run."""
    preset: Literal["small", "full"] = "small"
    """small: 56x56 pixels and narrow networks, for two processor cores; full: the published sizes, for accelerators."""
    recipe: tuple[Literal["default", "icpr2022"], ...] = ("default",)
    """default, icpr2022 (the study's code, quirk for quirk), or both; both use the same networks."""
    pan_input: Literal["standardize", "minmax"] = "standardize"
    """PAN's input under icpr2022: standardize, as in training, or minmax by batch of masked clips, as in the study."""
    data: Annotated[str, tyro.conf.arg(metavar="SET")] = "synthetic"
    """"synthetic", a prepared set such as multispectral_actions, or a folder with IR/, TV/ and segments.csv."""
    only: Annotated[tuple[str, ...], unset("all")] = ()
    """Tables to make, in a folder of their own: results-ir, results-tv, rise-masks, rise-grid,
    rise-probability, sidu-threshold, and under the recipe default baselines."""
    seeds: int = 1
    """Trainings of each network, with the seeds --seed, --seed + 1 and so on, at least 1; intervals and tests then are
    of other trainings, too."""
    stream: bool = False
    """Read training clips when a batch needs them, for sets that do not fit into memory."""
    num_workers: int = 0
    """With --stream: processes that read clips, at least 0; 0 reads in threads."""
    seed: int = 0
    """Seed of the embedded clips, the trainings, the masks and the random maps, 0 to 4294967295."""
    precision: Precision = "float32"
    """Number format of weights and activations while clips are explained; bfloat16 is faster on accelerators."""
    dry_run: bool = False
    """Check the inputs and print what would be done; nothing is written or computed."""

    resumes: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("grain",)

    def run(self) -> Output:
        """Runs the study; its report."""
        from jaxsal.paper.config import PRESETS
        from jaxsal.paper.plan import plan_study
        from jaxsal.paper.run import run_study

        check_positive("seeds", self.seeds)
        if self.num_workers and not self.stream:
            raise ValueError(f"`num_workers` must come with --stream; got {self.num_workers}.")
        study = PRESETS[self.preset].with_seed(self.seed)
        study = dataclasses.replace(study, pan_input=self.pan_input, trainings=self.seeds, precision=self.precision)
        if self.dry_run:
            plan = plan_study(study, self.output, recipes=self.recipe, data=self.data, only=self.only)
            return Output(plan.text, plan.data)
        reports = run_study(
            study,
            self.output,
            recipes=self.recipe,
            data=self.data,
            only=self.only,
            num_workers=self.num_workers if self.stream else None,
            command=self.command,
        )
        text = "\n".join(f"{report.report}\nReport and tables: {report.folder}" for report in reports)
        data = {report.folder.name: dict(tables=report.tables, output=str(report.folder)) for report in reports}
        return Output(text, data)
