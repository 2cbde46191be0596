"""`jaxsal convert`: trained weights from PyTorch's files, and back."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxsal.commands.annotations import called, left_out, one_of
from jaxsal.commands.output import Output
from jaxsal.commands.verb import Verb

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Convert(Verb):
    """Makes a checkpoint of a PyTorch file, or a file for PyTorch of a checkpoint.

    Example: jaxsal convert C3D_IRTV_15.pth runs/study --classes-file classes.txt
    """

    source: Annotated[Path, tyro.conf.Positional, called("SOURCE")]
    """A .pth, .pt, .pth.tar or .safetensors file with torchvision's names or those of PAN's authors; or a run
    of `jaxsal train`, `demo` or `convert`."""
    output: Annotated[Path, tyro.conf.Positional, called("OUTPUT")]
    """The folder of the new run; or, for a run, the .safetensors file to write. Further options are for the former."""
    arch: Annotated[
        str | None,
        one_of("resnet3d18", "pan", "pan_rgb", "pan_pa"),
        left_out("told by the tensors' names; pan with --from-resnet50"),
    ] = None
    """The architecture."""
    from_resnet50: bool = False
    """SOURCE is a ResNet-50 that a PAN starts from; its head and PA module are new and have to be trained."""
    classes: Annotated[tuple[str, ...], left_out("class-0 class-1 ..", metavar="[NAME ...]")] = ()
    """Names of the classes, in the order of the logits. This and what follows come from the metadata of a file that
    `convert` wrote, where they are left out."""
    classes_file: Annotated[Path | None, left_out("as --classes")] = None
    """A text file with a name per line, instead of --classes."""
    spectra: Annotated[str | None, one_of("IR", "TV", "IRTV"), left_out("IRTV")] = None
    """What the network was trained on: infrared clips, visible ones (TV), or both."""
    num_frames: Annotated[int | None, left_out("16; pan 32")] = None
    """Frames of a clip, at least 1; 8, 16, 32 and so on for pan."""
    size: Annotated[int | None, left_out("256")] = None
    """Shorter side of the resized frames, in pixels, at least 1."""
    crop: Annotated[int | None, left_out("224")] = None
    """Side of the square that is cut out, in pixels, at most --size."""
    mean: Annotated[Triple | None, left_out("0.485 0.456 0.406, ImageNet's, as in the study", metavar="R G B")] = None
    """Mean of the training data in each channel, 0 to 1."""
    std: Annotated[Triple | None, left_out("0.229 0.224 0.225", metavar="R G B")] = None
    """Standard deviation of the training data in each channel, above 0, in the unit of --mean."""
    seed: int = 0
    """Of the new parts with --from-resnet50, at least 0."""

    def run(self) -> Output:
        """Converts; what was found."""
        from jaxsal.training.checkpoint import open_checkpoint
        from jaxsal.training.convert import checkpoint_from_torch, save_as_run, write_for_torch

        if self.source.is_dir():
            written = write_for_torch(open_checkpoint(self.source), self.output)
            text = f"{len(written)} tensors, {sum(a.size for a in written.values())} values: {self.output}"
            return Output(text, dict(tensors=list(written), output=str(self.output)))
        names = ("spectra", "num_frames", "size", "crop", "mean", "std")
        given = {name: getattr(self, name) for name in names}
        checkpoint = checkpoint_from_torch(
            self.source,
            arch=self.arch,
            classes=self.class_names(),
            from_resnet50=self.from_resnet50,
            seed=self.seed,
            **{name: value for name, value in given.items() if value is not None},
        )
        save_as_run(checkpoint, self.output)
        spec = checkpoint.spec
        text = (
            f"{spec.arch}, width {spec.width}, {len(spec.classes)} classes ({', '.join(spec.classes[:3])}, ..).\n"
            f"Clips: {spec.num_frames} frames of {spec.crop}x{spec.crop}, mean {spec.mean}, std {spec.std}.\n"
            f"Checkpoint: {self.output}"
        )
        return Output(text, dict(network=asdict(spec), output=str(self.output)))

    def class_names(self) -> tuple[str, ...] | None:
        """The names that were given, None if none were."""
        if self.classes and self.classes_file is not None:
            raise ValueError("`--classes` must not come with --classes-file; got both.")
        if self.classes_file is not None:
            lines = self.classes_file.read_text(encoding="utf-8").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
        return self.classes or None
