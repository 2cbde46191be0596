"""`jaxsal layers`: where a network can be looked at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxsal.commands.verb import Output, Verb, unset
from jaxsal.training.options import PretrainedName


@dataclass(frozen=True)
class Layers(Verb):
    """Lists the layers of a network: the shapes of what they give, and on demand what of the clip they see.

    Example: jaxsal layers runs/demo --receptive-fields
    """

    checkpoint: Annotated[Path | None, tyro.conf.Positional] = None
    """Folder of a run of `jaxsal demo`, `train` or `convert`; or a weight file, as for `jaxsal explain`."""
    network: Annotated[PretrainedName | None, unset("CHECKPOINT")] = None
    """Trained network to use instead of a checkpoint: i3d (extra i3d), or embedded or embedded-pan,
    which come with jaxsal."""
    receptive_fields: bool = False
    """Also find the frames x rows x columns of the network's input that the middle of each layer's output sees; takes
    seconds for small networks, up to a minute for i3d."""

    def run(self) -> Output:
        """Finds shapes, and receptive fields if asked; one line a layer, in the order in which layers end."""
        from jaxsal.core.shown import aligned
        from jaxsal.training.transfer import open_network

        if (self.checkpoint is None) == (self.network is None):
            given = "neither" if self.checkpoint is None else "both"
            raise ValueError(f"`checkpoint` or --network must be given, one of them; got {given}.")
        found = open_network(self.network or self.checkpoint or "")
        spec = found.spec
        shapes = spec.classifier(found.variables).layers(spec.clip_shape)
        data: dict[str, dict[str, list[int] | None]] = {n: {"output": list(shape[1:])} for n, shape in shapes.items()}
        rows: list[tuple[str, ...]] = [("layer", "output"), *((name, _by(shape[1:])) for name, shape in shapes.items())]
        if self.receptive_fields:
            fields = spec.narrow().untrained().receptive_fields(spec.clip_shape)
            for name, own in data.items():
                own["sees"] = list(fields[name]) if name in fields else None
            seen = ["sees", *(_field(fields.get(name), spec.clip_shape) for name in shapes)]
            rows = [(*row, field) for row, field in zip(rows, seen, strict=True)]
        notes = (
            "For Grad-CAM, SIDU and Score-CAM: --layer LAYER of explain and evaluate; in Python classifier.at(LAYER)."
        )
        return Output("\n".join([*aligned(rows), "", notes]), dict(layers=data, clip=list(spec.clip_shape)))


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _field(field: tuple[int, ...] | None, clip_shape: tuple[int, ...]) -> str:
    """A receptive field; of layers without positions nothing."""
    if field is None:
        return ""
    return "the whole clip" if field == clip_shape[:3] else _by(field)
