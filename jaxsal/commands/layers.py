"""`jaxsal layers`: where a network can be looked at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.training.options import PretrainedName


@dataclass(frozen=True)
class Layers(Verb):
    """Lists the layers of a network: the shapes of what they give, and what of the clip they see.

    A layer sees frames x rows x columns of the network's input from the middle of its output.

    Example: jaxsal layers runs/demo
    """

    checkpoint: Annotated[Path | None, tyro.conf.Positional] = None
    """Folder of a run of `jaxsal demo`, `train` or `convert`; or a weight file, as for `jaxsal explain`."""
    network: Annotated[PretrainedName | None, unset("CHECKPOINT")] = None
    """Trained network to use instead of a checkpoint: i3d (extra i3d), or embedded, which comes with jaxsal."""

    def run(self) -> Output:
        """Finds shapes and receptive fields; one line a layer, in the order in which layers end."""
        from jaxsal.core.shown import aligned
        from jaxsal.training.transfer import open_network

        if (self.checkpoint is None) == (self.network is None):
            given = "neither" if self.checkpoint is None else "both"
            raise ValueError(f"`checkpoint` or --network must be given, one of them; got {given}.")
        found = open_network(self.network or self.checkpoint or "")
        spec = found.spec
        shapes = spec.classifier(found.variables).layers(spec.clip_shape)
        fields = spec.narrow().untrained().receptive_fields(spec.clip_shape)
        rows = [(name, _by(shape[1:]), _field(fields.get(name), spec.clip_shape)) for name, shape in shapes.items()]
        table = aligned([("layer", "output", "sees"), *rows])
        notes = (
            "For Grad-CAM, SIDU and Score-CAM: --layer LAYER of explain and evaluate; in Python classifier.at(LAYER)."
        )
        data = {
            name: dict(output=list(shape[1:]), sees=list(fields[name]) if name in fields else None)
            for name, shape in shapes.items()
        }
        return Output("\n".join([*table, "", notes]), dict(layers=data, clip=list(spec.clip_shape)))


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _field(field: tuple[int, ...] | None, clip_shape: tuple[int, ...]) -> str:
    """A receptive field; of layers without positions nothing."""
    if field is None:
        return ""
    return "the whole clip" if field == clip_shape[:3] else _by(field)
