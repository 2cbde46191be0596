"""`jaxsal layers`: where a network can be looked at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxsal.commands.verb import Output, Verb, unset


@dataclass(frozen=True)
class Layers(Verb):
    """Lists the layers of a network and the shapes of what they give for one clip; nothing is computed.

    Example: jaxsal layers runs/demo
    """

    checkpoint: Annotated[Path | None, tyro.conf.Positional] = None
    """Folder of a run of `jaxsal demo`, `train` or `convert`; or a weight file, as for `jaxsal explain`."""
    network: Annotated[Literal["i3d"] | None, unset("CHECKPOINT")] = None
    """Trained network to use instead of a checkpoint: i3d (extra i3d)."""

    def run(self) -> Output:
        """Reads the shapes; one line a layer, in the order in which layers end."""
        from jaxsal.core.shown import aligned
        from jaxsal.training.transfer import open_network

        if (self.checkpoint is None) == (self.network is None):
            given = "neither" if self.checkpoint is None else "both"
            raise ValueError(f"`checkpoint` or --network must be given, one of them; got {given}.")
        found = open_network(self.network or self.checkpoint or "")
        spec = found.spec
        shapes = spec.classifier(found.variables).layers(spec.clip_shape)
        rows = [("layer", "output"), *((name, "x".join(map(str, shape[1:]))) for name, shape in shapes.items())]
        text = "\n".join([*aligned(rows), "", "In Python: classifier.at(LAYER), for Grad-CAM and SIDU."])
        return Output(text, dict(layers={name: list(shape[1:]) for name, shape in shapes.items()}))
