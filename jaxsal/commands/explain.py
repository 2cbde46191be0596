"""`jaxsal explain`: one recording of the user's, in one spectrum or in both."""

import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from jaxsal.commands.annotations import called, left_out, one_of
from jaxsal.commands.output import Output, explained
from jaxsal.commands.verb import Verb
from jaxsal.core.checks import check_choice
from jaxsal.options import ExplainOptions


@dataclass(frozen=True)
class Explain(Verb):
    """Explains one recording, in one spectrum or in both, and measures the maps.

    Example: jaxsal explain walk.mp4 --infrared walk_ir.mp4 --checkpoint runs/demo --method rise
    """

    clip: Annotated[Path, tyro.conf.Positional, called("CLIP")]
    """A video file, a folder of numbered images, or an array file (.npy, .npz)."""
    checkpoint: Path
    """Folder of a run of `jaxsal demo`, `train` or `convert`."""
    infrared: Annotated[Path | None, left_out("one spectrum only")] = None
    """The same scene in the infrared; CLIP is then the visible one."""
    spectrum: Annotated[str, one_of("TV", "IR")] = "TV"
    """What CLIP is: visible (TV) or infrared."""
    output: Path = Path("runs/explain")
    """Folder for the table, the curves and the overlays."""
    target: Annotated[str | None, left_out("the predicted class", metavar="CLASS")] = None
    """Class to explain, by name or by number from 0."""
    start: int = 0
    """First frame of the recording to use, from 0."""
    stop: Annotated[int | None, left_out("the end")] = None
    """One past the last frame to use, above --start."""
    value_range: Annotated[tuple[float, float] | None, left_out("0 255 of 8 bits", metavar="LOW HIGH")] = None
    """Raw values that become black and white, needed where frames are not 8 bits; with --infrared, of that one."""
    animation: Annotated[str, one_of("gif", "mp4")] = "gif"
    """Format of the overlays."""
    dry_run: bool = False
    """Open and check what is needed, and say what would be done; nothing is written or computed."""
    options: Annotated[ExplainOptions, tyro.conf.arg(name="")] = field(default_factory=ExplainOptions)

    goes_on: ClassVar[bool] = True

    def run(self) -> Output:
        """Explains; the predictions and the measures."""
        from jaxsal.datasets.clips import read_frames
        from jaxsal.datasets.records import SPECTRA, TRAINING_SPECTRA
        from jaxsal.evaluation.evaluate import Case, explain_all
        from jaxsal.evaluation.explain import check_options
        from jaxsal.evaluation.plan import plan_explaining
        from jaxsal.evaluation.provenance import made_by
        from jaxsal.report.folder import write_folder
        from jaxsal.training.checkpoint import open_checkpoint

        check_options(self.options)
        check_choice("spectrum", self.spectrum, SPECTRA)
        check_choice("animation", self.animation, ("gif", "mp4"))
        if self.infrared is not None and self.spectrum == "IR":
            raise ValueError("`--infrared` must come with a visible CLIP; got --spectrum IR.")
        checkpoint = open_checkpoint(self.checkpoint)
        spec = checkpoint.spec
        target = class_number(self.target, spec.classes)
        recordings = {self.spectrum: self.clip}
        if self.infrared is not None:
            recordings["IR"] = self.infrared
        cases = []
        for spectrum, path in sorted(recordings.items()):
            if spectrum not in TRAINING_SPECTRA[spec.spectra]:
                print(f"jaxsal: note: the network was trained on {spec.spectra}, not on {spectrum}.", file=sys.stderr)
            value_range = self.value_range if spectrum == "IR" or self.infrared is None else None
            frames = read_frames(path, start=self.start, stop=self.stop, value_range=value_range)
            cases.append(Case(f"{path.stem}-{spectrum}", spectrum, -1, partial(spec.centre_clip, frames), target))
        if self.dry_run:
            plan = plan_explaining(spec, checkpoint.variables, cases, self.options, self.output)
            return Output(plan.text, plan.data)
        classifier = spec.classifier(checkpoint.variables)
        found = explain_all(classifier, cases, self.options, self.output / "explanations", progress=True)
        how = made_by(self.command, self.options, checkpoint)
        table = write_folder(self.output, found, spec.classes, how, animation=self.animation)
        lines = []
        for explanation in found:
            guesses = ", ".join(f"{spec.classes[k]} {share:.2f}" for k, share in explanation.most_probable(3))
            lines.append(f"{explanation.name}: {guesses}; explained: {spec.classes[explanation.target]}")
        text = "\n".join([*lines, "", table, f"Tables, curves and overlays: {self.output}"])
        return Output(text, dict(clips=explained(found, spec.classes), output=str(self.output)))


def class_number(target: str | None, classes: tuple[str, ...]) -> int | None:
    """A class by name or number, checked."""
    if target is None:
        return None
    if target in classes:
        return classes.index(target)
    if target.isdigit() and int(target) < len(classes):
        return int(target)
    raise ValueError(f"`target` must be one of {classes} or a number below {len(classes)}; got {target!r}.")
