"""`jaxsal convert`: trained weights from PyTorch's files, and back."""

from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.training.options import FrameChoice


@dataclass(frozen=True)
class Convert(Verb):
    """Makes a checkpoint of a PyTorch file, or a file for PyTorch of a checkpoint.

    Example: jaxsal convert C3D_IRTV_15.pth runs/study --classes-file classes.txt
    """

    source: Annotated[Path, tyro.conf.Positional]
    """A .pth, .pt, .pth.tar, .ckpt or .safetensors file with the tensor names of torchvision, of a port of I3D or of
    PAN's authors; model.safetensors of a VideoMAE of the Hugging Face Hub, or the folder with it and config.json; or
    the folder of a run of `jaxsal train`, `demo` or `convert`."""
    output: Annotated[Path, tyro.conf.Positional]
    """Folder of the new run; if SOURCE is a run, the .safetensors file to write. Options apply to new runs only."""
    arch: Annotated[
        Literal["resnet3d18", "mc3_18", "r2plus1d_18", "i3d", "videomae", "pan", "pan_rgb", "pan_pa"] | None,
        unset("recognised by the tensors' names; pan with --from-resnet50"),
    ] = None
    """Architecture of the network."""
    entry: Annotated[str | None, unset("the only network of the file, or its moving average")] = None
    """Where in the file the network is, such as state_dict_ema or teacher, if the file holds several."""
    from_resnet50: bool = False
    """SOURCE is a ResNet-50: make a PAN of it, whose head and PA module are new and must be trained."""
    classes: Annotated[tuple[str, ...], unset("Kinetics' for 400, else class-0 class-1 ..")] = ()
    """Names of the classes, in the order of the logits. If not set, this and the options below are read from the
    metadata of a file that `jaxsal convert` wrote."""
    classes_file: Annotated[Path | None, unset("as --classes")] = None
    """Text file with one class name per line, instead of --classes."""
    spectra: Annotated[Literal["IR", "TV", "IRTV"] | None, unset("IRTV")] = None
    """Clips that the network was trained on: infrared, visible (TV, the study's name), or both."""
    num_frames: Annotated[int | None, unset("16; pan 32")] = None
    """Frames per clip, at least 1; for pan 8, 16, 32 or a larger power of two."""
    stride: Annotated[int | None, unset("1; i3d 4")] = None
    """Steps of the recording from one frame of a clip to the next, at least 1; 1 for pan."""
    frames: Annotated[FrameChoice | None, unset("window")] = None
    """Frames of a clip lie in one window of the recording, or spread over all of it."""
    size: Annotated[int | None, unset("256; i3d 224, mc3_18 and r2plus1d_18 128")] = None
    """Shorter side of the resized frames, in pixels, at least 1."""
    crop: Annotated[int | None, unset("224; mc3_18 and r2plus1d_18 112")] = None
    """Side of the square that is cut out, in pixels, at most --size."""
    mean: Annotated[
        tuple[float, ...] | None,
        unset("0.485 0.456 0.406, ImageNet's, as in the study; i3d 0.5, mc3_18 and r2plus1d_18 as torchvision"),
    ] = None
    """Mean of the training data, one value for each channel (R G B), 0 to 1."""
    std: Annotated[tuple[float, ...] | None, unset("as --mean")] = None
    """Standard deviation of the training data, one value for each channel, above 0, in the unit of --mean."""
    seed: int = 0
    """Seed of the new parts with --from-resnet50, 0 to 4294967295."""

    def run(self) -> Output:
        """Converts; a description of the network or of the written file."""
        from jaxsal.models.torch.hub import is_hub_folder
        from jaxsal.training.checkpoint import open_checkpoint
        from jaxsal.training.convert import checkpoint_from_torch, save_as_run
        from jaxsal.training.torch_file import write_for_torch

        if self.source.is_dir() and not is_hub_folder(self.source):
            self._check_alone()
            written = write_for_torch(open_checkpoint(self.source), self.output)
            text = f"{len(written)} tensors, {sum(a.size for a in written.values())} values: {self.output}"
            return Output(text, dict(tensors=list(written), output=str(self.output)))
        if self.entry == "":
            raise ValueError("`entry` must be a name in the file, such as state_dict_ema; got ''.")
        names = ("spectra", "num_frames", "stride", "frames", "size", "crop", "mean", "std")
        given = {name: getattr(self, name) for name in names}
        checkpoint = checkpoint_from_torch(
            self.source,
            arch=self.arch,
            entry=self.entry,
            classes=self.class_names(),
            from_resnet50=self.from_resnet50,
            seed=self.seed,
            **{name: value for name, value in given.items() if value is not None},
        )
        save_as_run(checkpoint, self.output)
        spec = checkpoint.spec
        taken = checkpoint.origin["taken"]
        text = "".join(f"{note}\n" for note in taken) + (
            f"{spec.arch}, width {spec.width}, {len(spec.classes)} classes ({', '.join(spec.classes[:3])}, ..).\n"
            f"Clips: {spec.num_frames} frames of {spec.crop}x{spec.crop}, {len(spec.mean)} "
            f"{'channel' if len(spec.mean) == 1 else 'channels'}, mean {spec.mean}, std {spec.std}.\n"
            f"Checkpoint: {self.output}"
        )
        return Output(text, dict(network=asdict(spec), taken=taken, output=str(self.output)))

    def _check_alone(self) -> None:
        """Raises ValueError if an option is set that the run of SOURCE answers itself."""
        for option in fields(self)[len(fields(Verb)) :]:
            if option.default is not MISSING and getattr(self, option.name) != option.default:
                raise ValueError(
                    f"`{option.name}` must be left out for the folder of a run, which has its own; "
                    f"got {getattr(self, option.name)}."
                )

    def class_names(self) -> tuple[str, ...] | None:
        """The names that were given, None if none were."""
        if self.classes and self.classes_file is not None:
            raise ValueError("`--classes` must not come with --classes-file; got both.")
        if self.classes_file is not None:
            lines = self.classes_file.read_text(encoding="utf-8").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
        return self.classes or None
