"""The command line: one verb a job. Results go to standard output, progress to standard error."""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from jaxsal.options import ExplainOptions, TrainOptions


@dataclass(frozen=True)
class Demo:
    """Trains a small 3D-ResNet18 on the embedded clips of both spectra, explains held-out actors, measures the maps.

    Example: jaxsal demo --output runs/demo
    """

    output: Path = Path("runs/demo")
    """Folder of the run; a run that was killed goes on where it was."""
    seed: int = 0
    """Of the clips, the training and the explaining."""
    num_steps: int = 640
    """Training steps."""
    clips_per_spectrum: int = 16
    """Test clips to explain, of each spectrum."""

    def run(self) -> None:
        """Runs the demo and prints its table."""
        from jaxsal.demo import run_demo

        found = run_demo(
            self.output,
            seed=self.seed,
            num_steps=self.num_steps,
            clips_per_spectrum=self.clips_per_spectrum,
            command=_command(),
        )
        for spectrum, (share, count) in found["accuracy"].items():
            print(f"Test accuracy {spectrum}: {share:.3f} of {count} clips of actors not trained on.")
        print(f"\n{found['table']}")
        stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in found["seconds"].items())
        print(f"{stages}. Tables, curves and overlays: {self.output}")


@dataclass(frozen=True)
class Train:
    """Trains a network on the embedded clips or on your own recordings.

    Example: jaxsal train --data recordings/ --spectra IRTV --output runs/mine
    """

    output: Path
    """Folder of the run; a run that was killed goes on where it was."""
    data: str = "synthetic"
    """"synthetic", or a folder with IR/, TV/ and segments.csv."""
    spectra: str = "IRTV"
    """What to train on: IR, TV, or IRTV for both."""
    arch: str = "resnet3d18"
    """The architecture."""
    width: int = 64
    """Channels of its first layer; 64 is the published network."""
    num_frames: int = 16
    """Frames of a clip."""
    size: int = 256
    """Shorter side of the resized frames, in pixels."""
    crop: int = 224
    """Side of the square that is cut out, in pixels."""
    options: Annotated[TrainOptions, tyro.conf.arg(name="")] = field(default_factory=TrainOptions)

    def run(self) -> None:
        """Trains, and prints the test accuracy of every spectrum there is."""
        from jaxsal.commands import train_command

        train_command(self, _command())


@dataclass(frozen=True)
class Explain:
    """Explains one recording, in one spectrum or in both, and measures the maps.

    Example: jaxsal explain walk.mp4 --infrared walk_ir.mp4 --checkpoint runs/demo --method rise
    """

    clip: Annotated[Path, tyro.conf.Positional]
    """A video file, a folder of numbered images, or an array file (.npy, .npz)."""
    checkpoint: Path
    """Folder of a run of `jaxsal demo` or `jaxsal train`."""
    infrared: Path | None = None
    """The same scene in the infrared; CLIP is then the visible one."""
    spectrum: str = "TV"
    """What CLIP is: TV (visible) or IR."""
    output: Path = Path("runs/explain")
    """Folder for the table, the curves and the overlays."""
    target: str | None = None
    """Class to explain, by name or number; the predicted class if left out."""
    start: int = 0
    """First frame of the recording to use."""
    stop: int | None = None
    """One past the last frame to use; the end if left out."""
    value_range: tuple[float, float] | None = None
    """Raw values that become black and white where frames are not 8 bits; with --infrared, of that recording."""
    animation: str = "gif"
    """Overlays as gif or mp4."""
    options: Annotated[ExplainOptions, tyro.conf.arg(name="")] = field(default_factory=ExplainOptions)

    def run(self) -> None:
        """Explains, and prints the prediction and the measures."""
        from jaxsal.commands import explain_command

        explain_command(self, _command())


@dataclass(frozen=True)
class Evaluate:
    """Explains the test clips of a set with a trained network, and prints the table of the study's layout.

    Example: jaxsal evaluate --checkpoint runs/mine --data recordings/ --output runs/mine/table
    """

    checkpoint: Path
    """Folder of a run of `jaxsal demo` or `jaxsal train`."""
    data: str = "synthetic"
    """"synthetic", or a folder with IR/, TV/ and segments.csv."""
    output: Path = Path("runs/evaluate")
    """Folder for the table, the curves and the overlays; a killed evaluation goes on where it was."""
    clips_per_spectrum: int = 16
    """Test clips to explain, of each spectrum."""
    options: Annotated[ExplainOptions, tyro.conf.arg(name="")] = field(default_factory=ExplainOptions)

    def run(self) -> None:
        """Explains, and prints the table."""
        from jaxsal.commands import evaluate_command

        evaluate_command(self, _command())


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; an error is one line on standard error and exit status 1."""
    debug = "--debug" in (sys.argv if arguments is None else arguments)
    rest = [word for word in (sys.argv[1:] if arguments is None else arguments) if word != "--debug"]
    _typed[:] = rest
    try:
        command = tyro.cli(Demo | Train | Explain | Evaluate, prog="jaxsal", args=rest)
        from jaxsal.devices import use_all_cores

        use_all_cores()
        command.run()
    except (ValueError, TypeError, OSError) as error:
        if debug:
            raise
        print(f"jaxsal: {error}", file=sys.stderr)
        sys.exit(1)


_typed: list[str] = []


def _command() -> str:
    return shlex.join(["jaxsal", *_typed])
