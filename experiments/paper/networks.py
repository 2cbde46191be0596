"""The six networks of the study, one config each; trains the named one.

    python experiments/paper/networks.py resnet3d18-irtv --output runs/paper

`jaxsal paper` trains the same networks into the same folders and resumes there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import tyro

from jaxsal.commands.cli import run_verb
from jaxsal.commands.verb import Output, Verb


@dataclass(frozen=True)
class Network(Verb):
    """One network of the study; the presets of `jaxsal.paper.config` hold its size and its training."""

    arch: ClassVar[str]
    spectra: ClassVar[str]
    output: Path = Path("runs/paper")
    """Folder of the study's run."""
    preset: str = "small"
    """small or full."""
    data: str = "synthetic"
    """As for `jaxsal paper`."""
    seed: int = 0
    """Of the embedded clips and the training."""

    def run(self) -> Output:
        """Trains the network; its test accuracy."""
        from jaxsal.core.checks import check_choice
        from jaxsal.datasets.catalog import open_clips
        from jaxsal.paper.config import PRESETS
        from jaxsal.paper.training import decoder, networks_sheet, train_network
        from jaxsal.report.sheet import to_markdown, to_records

        check_choice("preset", self.preset, tuple(PRESETS))
        config = PRESETS[self.preset].with_seed(self.seed).network(self.arch, self.spectra)
        clip_set = open_clips(self.data, height=config.size, num_frames=config.num_frames, seed=self.seed)
        decode = decoder(config.spec(clip_set.classes), clip_set)
        sheet = networks_sheet([train_network(config, clip_set, decode, self.output / "networks" / config.name)])
        return Output(to_markdown(sheet), dict(networks=to_records(sheet)))


@dataclass(frozen=True)
class ResNet3D18IR(Network):
    """3D-ResNet18 on infrared clips.

    Command: python experiments/paper/networks.py resnet3d18-ir
    Preset small: 160 steps of 4 clips, both ways, at 56x56, from the weights that come with jaxsal.
    Preset full: 60 epochs in batches of 16, 16 frames at 224x224; one accelerator, not run yet.
    Expected test accuracy: 1.000 on IR (preset small, seed 0, 128 test clips each, 2026-11-30);
      the study's is 0.9 for all six.
    """

    arch: ClassVar[str] = "resnet3d18"
    spectra: ClassVar[str] = "IR"


@dataclass(frozen=True)
class ResNet3D18TV(Network):
    """3D-ResNet18 on visible clips.

    Command: python experiments/paper/networks.py resnet3d18-tv
    Preset small: 160 steps of 4 clips, both ways, at 56x56, from the weights that come with jaxsal.
    Preset full: 60 epochs in batches of 16, 16 frames at 224x224; one accelerator, not run yet.
    Expected test accuracy: 1.000 on TV (preset small, seed 0, 128 test clips each, 2026-11-30);
      the study's is 0.9 for all six.
    """

    arch: ClassVar[str] = "resnet3d18"
    spectra: ClassVar[str] = "TV"


@dataclass(frozen=True)
class ResNet3D18IRTV(Network):
    """3D-ResNet18 on both.

    Command: python experiments/paper/networks.py resnet3d18-irtv
    Preset small: 320 steps of 4 clips, both ways, at 56x56, from the weights that come with jaxsal.
    Preset full: 60 epochs in batches of 16, 16 frames at 224x224; one accelerator, not run yet.
    Expected test accuracy: 0.992 on IR and on TV (preset small, seed 0, 128 test clips each, 2026-11-30);
      the study's is 0.9 for all six.
    """

    arch: ClassVar[str] = "resnet3d18"
    spectra: ClassVar[str] = "IRTV"


@dataclass(frozen=True)
class PanIR(Network):
    """PAN on infrared clips.

    Command: python experiments/paper/networks.py pan-ir
    Preset small: 160 steps of 4 clips, both ways, at 56x56, from the weights that come with jaxsal.
    Preset full: 60 epochs in batches of 22, 32 frames at 224x224; one accelerator, not run yet.
    Expected test accuracy: 0.945 on IR (preset small, seed 0, 128 test clips each, 2026-11-30);
      the study's is 0.9 for all six.
    """

    arch: ClassVar[str] = "pan"
    spectra: ClassVar[str] = "IR"


@dataclass(frozen=True)
class PanTV(Network):
    """PAN on visible clips.

    Command: python experiments/paper/networks.py pan-tv
    Preset small: 160 steps of 4 clips, both ways, at 56x56, from the weights that come with jaxsal.
    Preset full: 60 epochs in batches of 22, 32 frames at 224x224; one accelerator, not run yet.
    Expected test accuracy: 0.969 on TV (preset small, seed 0, 128 test clips each, 2026-11-30);
      the study's is 0.9 for all six.
    """

    arch: ClassVar[str] = "pan"
    spectra: ClassVar[str] = "TV"


@dataclass(frozen=True)
class PanIRTV(Network):
    """PAN on both.

    Command: python experiments/paper/networks.py pan-irtv
    Preset small: 320 steps of 4 clips, both ways, at 56x56, from the weights that come with jaxsal.
    Preset full: 60 epochs in batches of 22, 32 frames at 224x224; one accelerator, not run yet.
    Expected test accuracy: 0.953 on IR, 0.961 on TV (preset small, seed 0, 128 test clips each, 2026-11-30);
      the study's is 0.9 for all six.
    """

    arch: ClassVar[str] = "pan"
    spectra: ClassVar[str] = "IRTV"


CONFIGS = {f"{config.arch}-{config.spectra.lower()}": config for config in Network.__subclasses__()}

if __name__ == "__main__":
    run_verb(tyro.extras.subcommand_cli_from_dict(CONFIGS))
