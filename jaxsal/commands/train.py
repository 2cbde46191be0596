"""`jaxsal train`: a network on the embedded clips or on a user's own recordings."""

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.training.options import TrainOptions

if TYPE_CHECKING:
    from jaxsal.datasets.records import ClipSet
    from jaxsal.training.networks import NetworkSpec


@dataclass(frozen=True)
class Train(Verb):
    """Trains a network on the embedded clips or on your own recordings.

    Example: jaxsal train --data recordings/ --spectra IRTV --output runs/mine
    """

    output: Path
    """Folder of the run; the same command resumes an interrupted run."""
    data: Annotated[str, tyro.conf.arg(metavar="SET")] = "synthetic"
    """"synthetic", the name of a prepared set, or a folder with IR/, TV/ and segments.csv."""
    spectra: Literal["IR", "TV", "IRTV", "FUSED"] = "IRTV"
    """Clips to train on: infrared, visible (TV, the study's name), or both; FUSED takes both of a scene at once."""
    fusion: Literal["streams", "channels"] = "streams"
    """With FUSED: a network for each spectrum, joined before the head; or one network of four channels."""
    channels: Literal[1, 3] = 3
    """Channels of a clip in one spectrum: colour, where grey is repeated; or 1, the brightness."""
    arch: Literal["resnet3d18", "mc3_18", "r2plus1d_18", "i3d", "videomae", "pan"] = "resnet3d18"
    """Architecture of the network."""
    width: int = 64
    """Channels of the first layer, at least 1; the published networks have 64."""
    num_frames: Annotated[int | None, unset("16; pan 32")] = None
    """Frames per clip, at least 1; for pan 8, 16, 32 or a larger power of two."""
    size: int = 256
    """Shorter side of the resized frames, in pixels, at least 1."""
    crop: int = 224
    """Side of the square that is cut out, in pixels, at most --size."""
    init: Annotated[Path | None, unset("random weights")] = None
    """Initial weights: a PyTorch or safetensors file (r3d_18; ResNet-50 or PAN for pan), or the folder of a run."""
    stream: bool = False
    """Read clips when a batch needs them, for sets that do not fit into memory."""
    num_workers: int = 0
    """With --stream: processes that read clips, at least 0; 0 reads in threads."""
    tensorboard: bool = False
    """Write loss, accuracy and step times for TensorBoard, too: `tensorboard --logdir OUTPUT` shows them."""
    dry_run: bool = False
    """Check the inputs and print what would be done; nothing is written or computed."""
    distributed: bool = False
    """Train together with the other processes that JAX finds; automatic under SLURM and Open MPI."""
    options: Annotated[TrainOptions, tyro.conf.arg(name="")] = field(default_factory=TrainOptions)

    resumes: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("grain",)

    def run(self) -> Output:
        """Trains on one split and tests on the other; the accuracy on every spectrum of the set."""
        from jaxsal.core.processes import join_processes
        from jaxsal.datasets.catalog import open_clips
        from jaxsal.datasets.channels import usual_normalization
        from jaxsal.training.networks import NETWORKS, NetworkSpec

        if self.num_workers and not self.stream:
            raise ValueError(f"`num_workers` must come with --stream; got {self.num_workers}.")
        if self.spectra == "FUSED" and self.channels != 3:
            raise ValueError(f"`channels` must be 3 with --spectra FUSED, beside one of infrared; got {self.channels}.")
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
            fusion=self.fusion,
            **usual_normalization(self.channels),
        )
        return self._plan(spec, clip_set) if self.dry_run else self._train(spec, clip_set)

    def _train(self, spec: "NetworkSpec", clip_set: "ClipSet") -> Output:
        from jaxsal.datasets.fused import clips_for, testing_clips
        from jaxsal.datasets.pipeline import load_clips, stream_clips
        from jaxsal.training.history import input_wait_share
        from jaxsal.training.train import accuracy_by_spectrum, train

        cutting: Any = dict(size=spec.size, sampler=spec.sampler, antialias=spec.antialias)
        streamed, loaded = partial(stream_clips, num_workers=self.num_workers), partial(load_clips, progress=True)
        read = partial(streamed if self.stream else loaded, **cutting)
        start, chosen = self._start(spec), clips_for(clip_set, spec.spectra, split="train")
        test_clips = read(testing_clips(clip_set, spec.spectra))  # an unreadable clip must not waste a training
        shown: Any = dict(progress=True, tensorboard=self.tensorboard)
        trained = train(spec, self.options, read(chosen), self.output, start=start, **shown)
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

    def _plan(self, spec: "NetworkSpec", clip_set: "ClipSet") -> Output:
        from jaxsal.datasets.fused import clips_for, testing_clips
        from jaxsal.evaluation.outline import outline_training

        self._start(spec)
        num_clips = len(clips_for(clip_set, spec.spectra, split="train").records)
        num_tested = len(testing_clips(clip_set, spec.spectra).records)
        note = f"Trains a {spec.arch} on {num_clips} clips of {spec.spectra} and tests it on {num_tested}."
        outline = outline_training(spec, self.options, num_clips, self.output, notes=(note,))
        return Output(outline.text, outline.data)

    def _start(self, spec: "NetworkSpec") -> Any:
        """The weights that training starts from; None for random ones."""
        from jaxsal.training.convert import starting_variables

        return None if self.init is None else starting_variables(spec, self.init, seed=self.options.seed)
