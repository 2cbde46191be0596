"""`jaxsal train`: a network on the embedded clips or on a user's own recordings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxsal.checks import check_choice
from jaxsal.commands.output import Output
from jaxsal.options import TrainOptions


@dataclass(frozen=True)
class Train:
    """Trains a network on the embedded clips or on your own recordings.

    Example: jaxsal train --data recordings/ --spectra IRTV --output runs/mine
    """

    output: Path
    """Folder of the run; a run that was killed goes on where it was."""
    data: str = "synthetic"
    """"synthetic", the name of a prepared set, or a folder with IR/, TV/ and segments.csv."""
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

    def run(self) -> Output:
        """Trains on one split and tests on the other; the accuracy of every spectrum there is."""
        from jaxsal.datasets.catalog import open_clips
        from jaxsal.datasets.pipeline import load_clips
        from jaxsal.datasets.records import TRAINING_SPECTRA
        from jaxsal.networks import NetworkSpec
        from jaxsal.train import accuracy_by_spectrum, train

        check_choice("spectra", self.spectra, tuple(TRAINING_SPECTRA))
        clip_set = open_clips(self.data, height=self.size, seed=self.options.seed)
        spec = NetworkSpec(
            clip_set.classes,
            self.spectra,
            arch=self.arch,
            width=self.width,
            num_frames=self.num_frames,
            size=self.size,
            crop=self.crop,
        )
        shared: Any = dict(size=spec.size, num_frames=spec.num_frames, progress=True)
        chosen = clip_set.select(split="train", spectra=TRAINING_SPECTRA[spec.spectra])
        test_clips = load_clips(clip_set.select(split="test"), **shared)  # an unreadable clip must not waste a training
        trained = train(spec, self.options, load_clips(chosen, **shared), self.output, progress=True)
        accuracy = accuracy_by_spectrum(spec, trained.variables, test_clips)
        chance = 1 / len(spec.classes)
        lines = [
            f"{spec.spectra} network, {spectrum} clips: test accuracy {share:.3f} of {count}, chance {chance:.3f}"
            for spectrum, (share, count) in accuracy.items()
        ]
        text = "\n".join([*lines, f"Checkpoint: {self.output}"])
        return Output(text, dict(accuracy=accuracy, chance=chance, checkpoint=str(self.output)))
