"""`jaxsal train`: a network on the embedded clips or on a user's own recordings."""

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from jaxsal.commands.annotations import called, left_out, one_of
from jaxsal.commands.output import Output
from jaxsal.commands.verb import Verb
from jaxsal.core.checks import check_choice
from jaxsal.options import TrainOptions, train_options

if TYPE_CHECKING:
    from jaxsal.training.networks import NetworkSpec


@dataclass(frozen=True)
class Train(Verb):
    """Trains a network on the embedded clips or on your own recordings.

    Example: jaxsal train --data recordings/ --spectra IRTV --output runs/mine
    """

    output: Path
    """Folder of the run; a run that was killed goes on where it was."""
    data: Annotated[str, called("SET")] = "synthetic"
    """"synthetic", the name of a prepared set, or a folder with IR/, TV/ and segments.csv."""
    spectra: Annotated[str, one_of("IR", "TV", "IRTV")] = "IRTV"
    """What to train on: infrared clips, visible ones (TV), or both."""
    arch: Annotated[str, one_of("resnet3d18", "pan")] = "resnet3d18"
    """The architecture."""
    width: int = 64
    """Channels of its first layer, at least 1; 64 is the published network."""
    num_frames: Annotated[int | None, left_out("16; pan 32")] = None
    """Frames of a clip, at least 1; 8, 16, 32 and so on for pan."""
    size: int = 256
    """Shorter side of the resized frames, in pixels, at least 1."""
    crop: int = 224
    """Side of the square that is cut out, in pixels, at most --size."""
    init: Annotated[Path | None, left_out("random weights")] = None
    """Weights to start from: a torch or safetensors file (r3d_18; ResNet-50 or PAN for pan), or a run's folder."""
    stream: bool = False
    """Read clips as batches need them, for sets that do not fit into memory."""
    num_workers: int = 0
    """With --stream: processes that read, at least 0; 0 reads in threads."""
    dry_run: bool = False
    """Open and check what is needed, and say what would be done; nothing is written or computed."""
    distributed: bool = False
    """Join the processes that JAX finds; done without being asked under SLURM and Open MPI."""
    options: Annotated[TrainOptions, tyro.conf.arg(name="", constructor=train_options)] = field(
        default_factory=train_options
    )

    goes_on: ClassVar[bool] = True

    def run(self) -> Output:
        """Trains on one split and tests on the other; the accuracy of every spectrum there is."""
        from jaxsal.core.processes import join_processes
        from jaxsal.datasets.catalog import open_clips
        from jaxsal.datasets.pipeline import load_clips
        from jaxsal.datasets.records import TRAINING_SPECTRA
        from jaxsal.datasets.streaming import stream_clips
        from jaxsal.training.history import input_wait_share
        from jaxsal.training.networks import NETWORKS, NetworkSpec
        from jaxsal.training.starts import starting_variables
        from jaxsal.training.train import accuracy_by_spectrum, train

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
        if self.dry_run:
            return self.plan(spec, len(chosen.records), len(clip_set.select(split="test").records))
        test_clips = read(clip_set.select(split="test"), **shared)  # an unreadable clip must not waste a training
        trained = train(spec, self.options, read(chosen, **shared), self.output, start=start, progress=True)
        accuracy = accuracy_by_spectrum(spec, trained.variables, test_clips)
        chance = 1 / len(spec.classes)
        lines = [
            f"{spec.spectra} network, {spectrum} clips: test accuracy {share:.3f} of {count}, chance {chance:.3f}"
            for spectrum, (share, count) in accuracy.items()
        ]
        wait = input_wait_share(self.output / "history.jsonl")
        if not math.isnan(wait):  # some steps were timed
            lines.append(f"Waited for input: {100 * wait:.1f} % of the step time.")
        text = "\n".join([*lines, f"Checkpoint: {self.output}"])
        return Output(text, dict(accuracy=accuracy, chance=chance, input_wait=wait, checkpoint=str(self.output)))

    def plan(self, spec: "NetworkSpec", num_clips: int, num_tested: int) -> Output:
        """What the training would do."""
        from jaxsal.evaluation.plan import plan_training

        note = f"Trains a {spec.arch} on {num_clips} clips of {spec.spectra} and tests it on {num_tested}."
        plan = plan_training(spec, self.options, num_clips, self.output, notes=(note,))
        return Output(plan.text, plan.data)
