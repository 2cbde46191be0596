"""`jaxsal export`: a trained network as a program that runs without jaxsal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from jaxsal.commands.verb import Output, Verb
from jaxsal.recipes import Precision


@dataclass(frozen=True)
class Export(Verb):
    """Writes a network as one program for CPU, CUDA and TPU, with a loader that does not need jaxsal.

    In the folder: scores.stablehlo (clips of any batch size -> logits, the weights inside), network.json (shapes,
    classes, range of values, versions) and loader.py.

    Example: jaxsal export runs/demo --output exported
    """

    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Folder of a run of `jaxsal demo`, `train` or `convert`; or a weight file, as for `jaxsal explain`."""
    output: Path
    """Folder for the three files; an earlier export in it is replaced."""
    precision: Precision = "float32"
    """Number format of weights and activations; bfloat16 halves the program's size and is faster on accelerators."""

    packages: ClassVar[tuple[str, ...]] = ("flatbuffers",)

    def run(self) -> Output:
        """Exports; a description of what was written."""
        from jaxsal.training.export import LOADER, PROGRAM, export_network
        from jaxsal.training.transfer import open_network

        fields = export_network(open_network(self.checkpoint), self.output, self.precision)
        size = (self.output / PROGRAM).stat().st_size / 2**20
        text = (
            f"{fields['arch']}, {len(fields['classes'])} classes, clips {fields['clip']}: {size:.1f} MiB "
            f"for {', '.join(fields['platforms'])}.\n"
            f"Program: {self.output / PROGRAM}; load it by load_exported of {self.output / LOADER}."
        )
        return Output(text, dict(network=fields, output=str(self.output)))
