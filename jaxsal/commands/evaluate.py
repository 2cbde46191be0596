"""`jaxsal evaluate`: the table of the study's layout, for the test clips of a set."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from jaxsal.commands.annotations import called
from jaxsal.commands.output import Output, explained
from jaxsal.commands.verb import Verb
from jaxsal.core.checks import check_positive
from jaxsal.options import ExplainOptions


@dataclass(frozen=True)
class Evaluate(Verb):
    """Explains the test clips of a set with a trained network, and prints the table of the study's layout.

    Example: jaxsal evaluate --checkpoint runs/mine --data recordings/ --output runs/mine/table
    """

    checkpoint: Path
    """Folder of a run of `jaxsal demo`, `train` or `convert`."""
    data: Annotated[str, called("SET")] = "synthetic"
    """"synthetic", the name of a prepared set, or a folder with IR/, TV/ and segments.csv."""
    output: Path = Path("runs/evaluate")
    """Folder for the table, the curves and the overlays; a killed evaluation goes on where it was."""
    clips_per_spectrum: int = 16
    """Test clips to explain, of each spectrum, at least 1; all where there are fewer."""
    dry_run: bool = False
    """Open and check what is needed, and say what would be done; nothing is written or computed."""
    options: Annotated[ExplainOptions, tyro.conf.arg(name="")] = field(default_factory=ExplainOptions)

    goes_on: ClassVar[bool] = True

    def run(self) -> Output:
        """Explains test clips of every spectrum that the set has; the table."""
        from jaxsal.datasets.catalog import open_clips
        from jaxsal.evaluation.evaluate import explain_all, select_cases
        from jaxsal.evaluation.explain import check_options
        from jaxsal.evaluation.plan import plan_explaining
        from jaxsal.evaluation.provenance import made_by
        from jaxsal.metrics.summary import summarise
        from jaxsal.report.folder import write_folder
        from jaxsal.report.tables import to_records
        from jaxsal.training.checkpoint import open_checkpoint

        check_options(self.options)
        check_positive("clips_per_spectrum", self.clips_per_spectrum)
        checkpoint = open_checkpoint(self.checkpoint)
        spec = checkpoint.spec
        training = checkpoint.origin.get("options", {"seed": 0})  # a converted network was not trained here
        clip_set = open_clips(self.data, height=spec.size, num_frames=spec.num_frames, seed=training["seed"])
        cases = select_cases(spec, clip_set.select(split="test"), self.clips_per_spectrum)
        if self.dry_run:
            plan = plan_explaining(spec, checkpoint.variables, cases, self.options, self.output)
            return Output(plan.text, plan.data)
        classifier = spec.classifier(checkpoint.variables)
        found = explain_all(classifier, cases, self.options, self.output / "explanations", progress=True)
        table = write_folder(self.output, found, spec.classes, made_by(self.command, self.options, checkpoint))
        text = f"{table}\nTables, curves and overlays: {self.output}"
        rows = to_records(summarise([row for explanation in found for row in explanation.results()]))
        return Output(text, dict(table=rows, clips=explained(found, spec.classes), output=str(self.output)))
