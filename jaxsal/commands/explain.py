"""`jaxsal explain`: one recording of the user, in one spectrum or in both."""

import dataclasses
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from jaxsal.commands.errors import with_options
from jaxsal.commands.footage import FootageOptions
from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.core.checks import hint
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.training.options import PretrainedName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxsal.datasets.recordings.excerpt import Excerpt
    from jaxsal.evaluation.cells import Case
    from jaxsal.evaluation.explanation import Explanation
    from jaxsal.metrics.summary import ClipResult
    from jaxsal.saliency.spectrum_shares import SpectrumShares
    from jaxsal.training.checkpoint import Checkpoint
    from jaxsal.training.networks import NetworkSpec
    from jaxsal.training.windows import Windows

_OVERLAYS = 8
"""Windows of a recording that are drawn by themselves where none is named; as many as have a player in the report."""


@dataclass(frozen=True)
class Explain(Verb):
    """Explains one recording, in one spectrum or in both, and measures the maps.

    Example: jaxsal explain walk.mp4 --infrared walk_ir.mp4 --checkpoint runs/demo --method rise
    """

    clip: Annotated[Path, tyro.conf.Positional]
    """A video file, a folder of numbered images, a TIFF of several pages, or an array file (.npy, .npz)."""
    checkpoint: Annotated[Path | None, unset("--network")] = None
    """Folder of a run of `jaxsal demo`, `train` or `convert`; a weight file (.pt, .pth, .ckpt, .safetensors) as
    `jaxsal convert` reads it; or a folder of the Hugging Face Hub."""
    network: Annotated[PretrainedName | None, unset("--checkpoint")] = None
    """Trained network to use instead of a checkpoint: i3d knows the 400 classes of Kinetics (extra i3d),
    embedded (a 3D-ResNet18) and embedded-pan the eight actions of the embedded clips (they come with jaxsal)."""
    classes: Annotated[tuple[str, ...], unset("as the network says")] = ()
    """Names of the network's classes, in the order of the logits, for weight files that have none."""
    footage: Annotated[FootageOptions, tyro.conf.arg(name="")] = field(default_factory=FootageOptions)
    window: Annotated[str | None, unset("one window, the middle one")] = None
    """Explain a long recording window by window: length in frames of CLIP, in seconds such as 2.5s, or auto."""
    hop: Annotated[str | None, unset("--window, end to end")] = None
    """From the start of one window to the start of the next, in the unit of --window."""
    overlays: Annotated[tuple[str, ...], unset("8 of them, evenly spread")] = ()
    """Windows of --window to draw as clips are, each by a moment that it holds, such as 127 or 12.5s; or all."""
    output: Path = Path("runs/explain")
    """Folder for the table, the curves and the overlays."""
    target: Annotated[str | None, unset("the predicted class")] = None
    """Class to explain: its name, or its number counted from 0."""
    animation: Literal["gif", "mp4"] = "gif"
    """Format of the overlays."""
    on: Literal["recording", "input"] = "recording"
    """Draw maps on the recording's own frames, or on the network's resized and cropped input."""
    dry_run: bool = False
    """Check the inputs and print what would be done; nothing is written or computed."""
    options: Annotated[ExplainOptions, tyro.conf.arg(name="")] = field(default_factory=ExplainOptions)

    resumes: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("matplotlib", "av")

    def run(self) -> Output:
        """Explains; the predictions and the measures."""
        from jaxsal.evaluation.outline import outline_explaining
        from jaxsal.evaluation.views import settled_lines
        from jaxsal.report.folder import explain_to_folder

        self.options.check()
        checkpoint = self._checkpoint()
        spec = checkpoint.spec
        if spec.channels and self.footage.infrared is None:
            raise ValueError("`--infrared` must be given for a network of both spectra at once; got CLIP alone.")
        if self.window is not None or self.hop is not None:
            return self._explain_windows(checkpoint)
        if self.overlays:
            raise ValueError(f"`overlays` must come with --window; got {' '.join(self.overlays)} alone.")
        cases, notes = self._cases(spec)
        if self.checkpoint is not None and self.checkpoint.is_file():
            notes = [*notes, *checkpoint.origin["taken"]]
        if self.dry_run:
            outline = outline_explaining(spec, checkpoint.variables, cases, self.options, self.output)
            outline = dataclasses.replace(outline, notes=(*outline.notes, *notes))
            return Output(outline.text, outline.data)
        for note in notes:
            print(f"jaxsal: note: {note}", file=sys.stderr)
        written = explain_to_folder(
            self.output, checkpoint, cases, self.options, command=self.command, animation=self.animation, on=self.on
        )
        for note in written.notes:
            print(f"jaxsal: note: {note}", file=sys.stderr)
        lines = []
        for explanation in written.explanations:
            guesses = ", ".join(f"{spec.names[k]} {share:.2f}" for k, share in explanation.most_probable(5))
            lines.append(f"{explanation.name}: {guesses}; explained: {explanation.target_name}")
            lines += settled_lines(explanation)
        text = "\n".join([*lines, "", written.table, f"Tables, curves and overlays: {self.output}"])
        return Output(text, dict(clips=explained(written.explanations, spec.names), output=str(self.output)))

    def _explain_windows(self, checkpoint: "Checkpoint") -> Output:
        """Explains a long recording; which class is seen when."""
        from jaxsal.core.shown import aligned
        from jaxsal.evaluation.outline import outline_explaining
        from jaxsal.report.windows import (
            explain_windows_to_folder,
            window_cases,
            window_pictures,
            window_place,
            window_table,
        )

        spec, target = checkpoint.spec, class_number(self.target, checkpoint.spec.names)
        windows = self.footage.find_windows(self.clip, spec, "auto" if self.window is None else self.window, self.hop)
        cases = window_cases(spec, windows, self.clip.stem, target)
        overlays = self._overlays(windows)
        notes = [with_options(note, self) for note in windows.notes]
        if self.dry_run:
            planned = [" ".join(window_place(window, case.spectrum)) for case, window in cases]
            outline = outline_explaining(
                spec,
                checkpoint.variables,
                [case for case, _ in cases],
                self.options,
                self.output,
                pictures=window_pictures(windows),
                keep_clips=False,
            )
            outline = dataclasses.replace(outline, notes=(*outline.notes, *notes, *planned))
            return Output(outline.text, outline.data)
        for note in notes:
            print(f"jaxsal: note: {note}", file=sys.stderr)
        drawn: Any = dict(overlays=overlays, animation=self.animation, on=self.on)
        results, said = explain_windows_to_folder(
            self.output, checkpoint, windows, cases, self.options, command=self.command, **drawn
        )
        for note in said:
            print(f"jaxsal: note: {note}", file=sys.stderr)
        text = "\n".join([*aligned(window_table(results)), f"Tables, timelines and films: {self.output}"])
        found = explained([result.explanation for result in results], spec.names)
        return Output(text, dict(clips=found, output=str(self.output)))

    def _overlays(self, windows: "Windows") -> list[int]:
        """The numbers of the windows that are drawn by themselves."""
        from jaxsal.core.spread import spread

        if self.overlays in ((), ("all",)):
            return spread(len(windows.windows), len(windows.windows) if self.overlays else _OVERLAYS)
        return sorted({windows.at("overlays", moment) for moment in self.overlays})

    def _checkpoint(self) -> "Checkpoint":
        from jaxsal.training.transfer import open_network

        sources = [source for source in (self.checkpoint, self.network) if source is not None]
        if len(sources) == 1:
            return open_network(sources[0], self.classes)
        raise ValueError(
            f"`--checkpoint` or --network must be given, one of them; got {'both' if sources else 'neither'}. `jaxsal "
            "demo` and `jaxsal train` make a checkpoint, a file of PyTorch is one; --network i3d needs none."
        )

    def _cases(self, spec: "NetworkSpec") -> "tuple[list[Case], list[str]]":
        """The recordings as clips to explain, and what to say of them."""
        from jaxsal.evaluation.cells import Case, check_names_differ

        target = class_number(self.target, spec.names)
        footage = self.footage.find(self.clip, spec)
        if spec.channels:
            return [self._scene(spec, footage.excerpts, target)], [with_options(note, self) for note in footage.notes]
        cases = [
            Case(
                f"{Path(of.path).stem}-{name}",
                name,
                -1,
                partial(spec.clip, of),
                target,
                load_excerpts=partial(dict, {name: of}),
            )
            for name, of in sorted(footage.excerpts.items())
        ]
        check_names_differ(cases)
        return cases, [with_options(note, self) for note in footage.notes]

    def _scene(self, spec: "NetworkSpec", excerpts: "Mapping[str, Excerpt]", target: int | None) -> "Case":
        """Both recordings as the one scene of a network that takes both spectra at once."""
        from jaxsal.datasets.records import FUSED
        from jaxsal.evaluation.cells import Case

        load, name = partial(spec.clip, excerpts), f"{self.clip.stem}-{FUSED}"
        return Case(name, FUSED, -1, load, target, load_excerpts=partial(dict, excerpts))


def class_number(target: str | None, classes: tuple[str, ...]) -> int | None:
    """The number of a class that is given by name or number.

    Raises:
      ValueError: If there is no such class.
    """
    if target is None:
        return None
    if target in classes:
        return classes.index(target)
    if target.isdigit() and int(target) < len(classes):
        return int(target)
    raise ValueError(
        f"`target` must be one of {classes} or a number below {len(classes)}; got {target!r}.{hint(target, classes)}"
    )


def measures_of(result: "ClipResult") -> dict[str, float]:
    """The measures of a map, and where its curves end: `floor` of deletion, `start` of insertion."""
    values = {name: getattr(result, name) for name in ("deletion", "insertion", "floor", "start")}
    return values | dict(result.measures)


def shares_of(shares: "SpectrumShares") -> dict[str, float]:
    """The split of a decision by spectrum, and the score of the replaced scene, of each spectrum alone and of both."""
    return {part: getattr(shares, part) for part in shares.percent} | dict(shares.worths)


def explained(explanations: "Iterable[Explanation]", classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Explanations as data: name, spectrum, label, explained class, probabilities, every method's measures, shares."""
    return [
        dict(
            name=e.name,
            spectrum=e.spectrum,
            label=classes[e.label] if e.label >= 0 else None,
            target=classes[e.target],
            against=None if e.against is None else classes[e.against],
            probabilities=dict(zip(classes, map(float, e.probabilities), strict=True)),
            methods={r.method: measures_of(r) for r in e.results()},
            **({} if e.shares is None else dict(shares=shares_of(e.shares))),
            **({} if e.settled is None else dict(settled=e.settled.record())),
        )
        for e in explanations
    ]
