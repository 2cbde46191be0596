"""`jaxsal train`: a network on the embedded clips or on a user's own recordings."""

import math
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.core.kinds import check_kind
from jaxsal.training.options import FrameChoice, TrainOptions

if TYPE_CHECKING:
    from jaxsal.datasets.records import ClipSet
    from jaxsal.training.checkpoint import Checkpoint, Variables
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
    """Architecture of the network; --start has its own."""
    width: int = 64
    """Channels of the first layer, at least 1; the published networks have 64; --start has its own."""
    start: Annotated[str | None, unset("a network of --arch")] = None
    """Trained network to start from, its head replaced for other classes: i3d, embedded, embedded-pan, the folder of a
    run, a PyTorch or safetensors file, or a folder of the Hugging Face Hub. With FUSED both spectra start from it.
    How much of it is trained, --trained says."""
    num_frames: Annotated[int | None, unset("16; pan 32; as --start")] = None
    """Frames per clip, at least 1; for pan 8, 16, 32 or a larger power of two."""
    stride: Annotated[int | None, unset("1; as --start")] = None
    """Steps of the recording from one frame of a clip to the next, at least 1; 1 for pan."""
    frames: Annotated[FrameChoice | None, unset("window; as --start")] = None
    """Frames of a clip lie in one window of the recording, or spread over all of it: for actions of any length."""
    size: Annotated[int | None, unset("256; as --start")] = None
    """Shorter side of the resized frames, in pixels, at least 1."""
    crop: Annotated[int | None, unset("224; as --start")] = None
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
        begin = self._network()
        names = ("num_frames", "stride", "frames", "size", "crop")
        given: dict[str, Any] = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.frames == "spread":  # the stride of --start is of its windows
            given = {"stride": 1} | given
        if begin is None:
            given = {"num_frames": NETWORKS[self.arch].num_frames} | usual_normalization(self.channels) | given
            base = NetworkSpec(("",), self.spectra, self.arch, self.width, fusion=self.fusion, **given)
        else:
            fusion = begin.spec.fusion if begin.spec.channels else self.fusion
            base = replace(begin.spec, spectra=self.spectra, fusion=fusion, **given)
        clip_set = open_clips(self.data, height=base.size, num_frames=base.num_frames, seed=self.options.seed)
        spec = replace(base, classes=clip_set.classes)
        start = self._weights(spec, begin)
        return self._plan(spec, clip_set) if self.dry_run else self._train(spec, clip_set, start)

    def _train(self, spec: "NetworkSpec", clip_set: "ClipSet", start: "Variables | None") -> Output:
        from jaxsal.datasets.fused import clips_for, testing_clips
        from jaxsal.datasets.pipeline import load_clips, stream_clips
        from jaxsal.training.accuracy import accuracy_by_spectrum
        from jaxsal.training.history import input_wait_share
        from jaxsal.training.train import train

        streamed, loaded = partial(stream_clips, num_workers=self.num_workers), partial(load_clips, progress=True)
        load = streamed if self.stream else loaded
        read = partial(load, size=spec.size, sampler=spec.sampler, antialias=spec.antialias)
        chosen = clips_for(clip_set, spec.spectra, split="train")
        test_clips = read(testing_clips(clip_set, spec.spectra))  # an unreadable clip must not waste a training
        clips, tensorboard = read(chosen), self.tensorboard
        trained = train(spec, self.options, clips, self.output, start=start, progress=True, tensorboard=tensorboard)
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

        num_clips = len(clips_for(clip_set, spec.spectra, split="train").records)
        num_tested = len(testing_clips(clip_set, spec.spectra).records)
        note = f"Trains a {spec.arch} on {num_clips} clips of {spec.spectra} and tests it on {num_tested}."
        outline = outline_training(spec, self.options, num_clips, self.output, notes=(note,))
        return Output(outline.text, outline.data)

    def _network(self) -> "Checkpoint | None":
        """The network of --start; None without one."""
        from jaxsal.training.transfer import open_network

        if self.start is not None and self.init is not None:
            raise ValueError(f"`start` must not come with --init; got {self.start} and {self.init}.")
        if self.options.trained != "all" and self.start is None and self.init is None:
            raise ValueError(f"`trained` must be all without --start; got {self.options.trained}.")
        check_kind("start", self.start, Path | None)
        begin = None if self.start is None else open_network(self.start)
        if begin is not None and begin.spec.channels and self.spectra != "FUSED":
            raise ValueError(f"`start` must be of one spectrum at a time, as --spectra; got {self.start}.")
        if begin is not None and self.spectra == "FUSED" and len(begin.spec.mean) < 3:
            raise ValueError(f"`start` must take colour clips for --spectra FUSED; got {self.start}, of one channel.")
        return begin

    def _weights(self, spec: "NetworkSpec", begin: "Checkpoint | None") -> "Variables | None":
        """The weights that training starts from; None for random ones."""
        from jaxsal.training.convert import starting_variables
        from jaxsal.training.transfer import transferred

        if begin is not None:
            return transferred(spec, begin, seed=self.options.seed)
        return None if self.init is None else starting_variables(spec, self.init, seed=self.options.seed)
