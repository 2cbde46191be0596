"""`jaxsal evaluate`: the table of the study's layout, for the test clips of a set."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from jaxsal.commands.explain import class_number, explained
from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.core.checks import check_positive
from jaxsal.evaluation.options import ExplainOptions


@dataclass(frozen=True)
class Evaluate(Verb):
    """Explains the test clips of a set with a trained network, and prints the table of the study's layout.

    Example: jaxsal evaluate --checkpoint runs/mine --data recordings/ --output runs/mine/table
    """

    checkpoint: Path
    """Folder of a run of `jaxsal demo`, `train` or `convert`; or a weight file, as for `jaxsal explain`."""
    data: Annotated[str, tyro.conf.arg(metavar="SET")] = "synthetic"
    """"synthetic", the name of a prepared set, or a folder with IR/, TV/ and segments.csv."""
    classes: Annotated[tuple[str, ...], unset("as the network says")] = ()
    """Names of the network's classes, in the order of the logits, for weight files that have none."""
    target: Annotated[str | None, unset("the predicted class of each clip")] = None
    """Class to explain in all clips: its name, or its number counted from 0."""
    output: Path = Path("runs/evaluate")
    """Folder for the table, the curves and the overlays; the same command resumes an interrupted evaluation."""
    clips_per_spectrum: int = 16
    """Test clips to explain per spectrum, at least 1; all clips if the set has fewer."""
    outline: bool = False
    """Draw the actor's outline on the overlays, where the set knows the actor's pixels."""
    on: Literal["recording", "input"] = "recording"
    """Draw maps on the frames of your recordings, or on the network's resized and cropped input; sets without
    recordings, such as synthetic and prepared ones, have the input alone."""
    dry_run: bool = False
    """Check the inputs and print what would be done; nothing is written or computed."""
    options: Annotated[ExplainOptions, tyro.conf.arg(name="")] = field(default_factory=ExplainOptions)

    resumes: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("matplotlib", "av")

    def run(self) -> Output:
        """Explains test clips of every spectrum of the set; the table."""
        from jaxsal.datasets.catalog import open_clips
        from jaxsal.evaluation.cases import select_cases
        from jaxsal.evaluation.outline import outline_explaining
        from jaxsal.report.folder import explain_to_folder
        from jaxsal.report.table import summary_records
        from jaxsal.training.transfer import open_network

        self.options.check()
        check_positive("clips_per_spectrum", self.clips_per_spectrum)
        checkpoint = open_network(self.checkpoint, self.classes)
        spec = checkpoint.spec
        training = checkpoint.origin.get("options", {"seed": 0})  # a converted network was not trained here
        clip_set = open_clips(self.data, height=spec.size, num_frames=spec.num_frames, seed=training["seed"])
        target = class_number(self.target, spec.names)
        chosen = select_cases(spec, clip_set.select(split="test"), self.clips_per_spectrum)
        cases = [case._replace(target=target) for case in chosen]
        if self.dry_run:
            outline = outline_explaining(spec, checkpoint.variables, cases, self.options, self.output)
            return Output(outline.text, outline.data)
        explanations, rows, table, _ = explain_to_folder(
            self.output, checkpoint, cases, self.options, command=self.command, outline=self.outline, on=self.on
        )
        text = f"{table}\nTables, curves and overlays: {self.output}"
        return Output(
            text,
            dict(table=summary_records(rows), clips=explained(explanations, spec.names), output=str(self.output)),
        )
