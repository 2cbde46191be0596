"""`jaxsal train`: a network on the embedded clips or on a user's own recordings."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxsal.checks import check_choice
from jaxsal.commands.output import Output
from jaxsal.options import TrainOptions, train_options


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
    """The architecture, resnet3d18 or pan."""
    width: int = 64
    """Channels of its first layer; 64 is the published network."""
    num_frames: int | None = None
    """Frames of a clip; those of the published network, 16 or 32, if left out."""
    size: int = 256
    """Shorter side of the resized frames, in pixels."""
    crop: int = 224
    """Side of the square that is cut out, in pixels."""
    init: Path | None = None
    """Weights to start from: a torch or safetensors file (r3d_18; ResNet-50 or PAN for pan), or a run's folder."""
    stream: bool = False
    """Read clips as batches need them, for sets that do not fit into memory."""
    num_workers: int = 0
    """With --stream: processes that read; 0 reads in threads."""
    distributed: bool = False
    """Join the processes that JAX finds; done without being asked under SLURM and Open MPI."""
    options: Annotated[TrainOptions, tyro.conf.arg(name="", constructor=train_options)] = field(
        default_factory=train_options
    )

    def run(self) -> Output:
        """Trains on one split and tests on the other; the accuracy of every spectrum there is."""
        from jaxsal.datasets.catalog import open_clips
        from jaxsal.datasets.pipeline import load_clips
        from jaxsal.datasets.records import TRAINING_SPECTRA
        from jaxsal.datasets.streaming import stream_clips
        from jaxsal.history import input_wait_share
        from jaxsal.networks import NETWORKS, NetworkSpec
        from jaxsal.processes import join_processes
        from jaxsal.starts import starting_variables
        from jaxsal.train import accuracy_by_spectrum, train

        check_choice("spectra", self.spectra, tuple(TRAINING_SPECTRA))
        check_choice("arch", self.arch, tuple(NETWORKS))
        if self.num_workers and not self.stream:
            raise ValueError(f"`num_workers` must come with --stream; got {self.num_workers}.")
        join_processes(self.distributed)
        num_frames = NETWORKS[self.arch].num_frames if self.num_frames is None else self.num_frames
        clip_set = open_clips(self.data, height=self.size, num_frames=num_frames, seed=self.options.seed)
        spec = NetworkSpec(
            clip_set.classes,
            self.spectra,
            arch=self.arch,
            width=self.width,
            num_frames=num_frames,
            size=self.size,
            crop=self.crop,
        )
        shared: Any = dict(size=spec.size, sampler=spec.sampler, antialias=spec.antialias)
        read = (
            partial(stream_clips, num_workers=self.num_workers) if self.stream else partial(load_clips, progress=True)
        )
        start = None if self.init is None else starting_variables(spec, self.init, seed=self.options.seed)
        chosen = clip_set.select(split="train", spectra=TRAINING_SPECTRA[spec.spectra])
        test_clips = read(clip_set.select(split="test"), **shared)  # an unreadable clip must not waste a training
        trained = train(spec, self.options, read(chosen, **shared), self.output, start=start, progress=True)
        accuracy = accuracy_by_spectrum(spec, trained.variables, test_clips)
        chance = 1 / len(spec.classes)
        lines = [
            f"{spec.spectra} network, {spectrum} clips: test accuracy {share:.3f} of {count}, chance {chance:.3f}"
            for spectrum, (share, count) in accuracy.items()
        ]
        wait = input_wait_share(self.output / "history.jsonl")
        text = "\n".join(
            [*lines, f"Waited for input: {100 * wait:.1f} % of the step time.", f"Checkpoint: {self.output}"]
        )
        return Output(text, dict(accuracy=accuracy, chance=chance, input_wait=wait, checkpoint=str(self.output)))
