"""What a run of the study consists of, small for two processor cores and full for accelerators."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from jaxsal.classifier import Normalization
from jaxsal.core.checks import check_choice, check_positive, check_seed
from jaxsal.core.controls import Control
from jaxsal.core.kinds import check_fields
from jaxsal.datasets.records import TRAINING_SPECTRA
from jaxsal.datasets.synthetic import ACTION_PAIRS
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.recipes import RECIPES, STUDY_METHODS, BaselineName, Precision, RecipeName
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.options import EMBEDDED, PretrainedName, TrainOptions

ARCHITECTURES = {"resnet3d18": "3D-ResNet18", "pan": "PAN"}
CONTROLS: tuple[Control, ...] = ("random", "smooth", "other", "constant")
"""Measured beside the methods."""
RECIPE_NAMES: tuple[RecipeName, ...] = ("default", "icpr2022")
MINMAX_BATCHES = {"rise": 24, "sidu": 64}
"""Masked clips whose common range the study's code takes PAN's input to [0, 1] by, for RISE and for SIDU."""


@dataclass(frozen=True)
class NetworkConfig:
    """One of the six networks: its size and its training.

    Attributes:
      arch: A key of `ARCHITECTURES`.
      spectra: What it is trained on: "IR", "TV", or "IRTV" for both.
      width: Channels of the first layer.
      num_frames: T.
      size: The shorter side of frames after resizing.
      crop: Height and width of a clip.
      training: How it is trained.
      start: The trained network that it starts from, a name of `jaxsal.training.options.PretrainedName`; from random
        weights if None.
      repeat: 0 for the first training of a network, 1 for the next with another seed, and so on.
    """

    arch: str
    spectra: str
    width: int
    num_frames: int
    size: int
    crop: int
    training: TrainOptions
    start: PretrainedName | None = None
    repeat: int = 0

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.arch}-{self.spectra}" + (f"-{self.repeat + 1}" if self.repeat else "")

    def with_classes(self, classes: Sequence[str]) -> "NetworkConfig":
        """The same training on these classes; clips are shown backwards, too, where both of a pair are among them."""
        reversals = tuple(pair for pair in self.training.reversals if set(pair) <= set(classes))
        return dataclasses.replace(self, training=dataclasses.replace(self.training, reversals=reversals))

    def spec(self, classes: Sequence[str]) -> NetworkSpec:
        """The network for these classes."""
        return NetworkSpec(
            tuple(classes),
            self.spectra,
            arch=self.arch,
            width=self.width,
            num_frames=self.num_frames,
            size=self.size,
            crop=self.crop,
        )


@check_fields
@dataclass(frozen=True)
class Study:
    """All numbers that a scale of the study sets.

    Attributes:
      networks: Both architectures, each trained on IR, on TV and on both.
      clips_per_spectrum: Test clips behind every cell of a table.
      num_masks: RISE's N in all tables but that of N.
      mask_counts: The values of N in its table, the largest last; they are read out of one run.
      grid_shapes: Of RISE's grid.
      keep_probs: RISE's p, which the study calls the flip probability.
      thresholds: SIDU's tau.
      num_steps: Scores of a deletion or insertion curve.
      baselines: Of the curves in a table of their own, beside those of the recipe; of the recipe "default" alone.
      trainings: How often each network is trained: with the seeds `seed`, `seed` + 1 and so on, on the same clips.
      pan_input: How the recipe icpr2022 gives PAN its input: "standardize", as it was trained, or "minmax", by the
        range of each batch of masked clips, as the study's code does to networks trained on standardised clips.
      chunk_size: Forward passes at once.
      seed: Of the embedded set, the trainings, the masks and the random maps.
      precision: Of weights and activations while clips are explained; networks are trained in float32.
    """

    networks: tuple[NetworkConfig, ...]
    clips_per_spectrum: int
    num_masks: int
    mask_counts: tuple[int, ...]
    grid_shapes: tuple[tuple[int, int, int], ...] = ((2, 8, 8), (4, 8, 8), (8, 8, 8))
    keep_probs: tuple[float, ...] = (0.1, 0.25, 0.5)
    thresholds: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0)
    num_steps: int = 100
    baselines: tuple[BaselineName, ...] = ("time_mean", "reverse")
    trainings: int = 1
    pan_input: Normalization = "standardize"
    chunk_size: int = 16
    seed: int = 0
    precision: Precision = "float32"

    def __post_init__(self):
        for name in ("clips_per_spectrum", "num_masks", "num_steps", "trainings", "chunk_size"):
            check_positive(name, getattr(self, name))
        check_seed(self.seed)
        check_choice("pan_input", self.pan_input, get_args(Normalization))
        wanted = [(arch, spectra) for arch in ARCHITECTURES for spectra in TRAINING_SPECTRA]
        found = [(network.arch, network.spectra) for network in self.networks]
        if sorted(found) != sorted(wanted):
            raise ValueError(f"`networks` must be one of each of {wanted}; got {found}.")
        if list(self.mask_counts) != sorted(set(self.mask_counts)):
            raise ValueError(f"`mask_counts` must ascend; got {self.mask_counts}.")

    @property
    def trained_networks(self) -> tuple[NetworkConfig, ...]:
        """All trainings of the six networks, one of each before the next."""
        return tuple(
            dataclasses.replace(network, repeat=repeat, training=_with_seed(network.training, self.seed + repeat))
            for repeat in range(self.trainings)
            for network in self.networks
        )

    def network(self, arch: str, spectra: str) -> NetworkConfig:
        """The network of an architecture that was trained on `spectra`."""
        return next(network for network in self.networks if (network.arch, network.spectra) == (arch, spectra))

    def with_seed(self, seed: int) -> "Study":
        """The same study with another seed, of its trainings too."""
        networks = tuple(
            dataclasses.replace(network, training=_with_seed(network.training, seed)) for network in self.networks
        )
        return dataclasses.replace(self, networks=networks, seed=seed)

    def normalization(self, recipe: RecipeName, arch: str) -> Normalization:
        """How a network's input is normalised while it is explained."""
        return self.pan_input if (recipe, arch) == ("icpr2022", "pan") else "standardize"

    def run_name(self, recipe: RecipeName) -> str:
        """The folder of a recipe's results."""
        return f"{recipe}-minmax" if self.normalization(recipe, "pan") == "minmax" else recipe

    def options(self, recipe: RecipeName, arch: str = "resnet3d18") -> ExplainOptions:
        """How the clips of the two main tables are explained: all methods by the recipe, and the controls."""
        check_choice("recipe", recipe, RECIPE_NAMES)
        minmax = self.normalization(recipe, arch) == "minmax"
        return ExplainOptions(
            recipe=recipe,
            method=STUDY_METHODS,
            controls=CONTROLS,
            rise_batch=MINMAX_BATCHES["rise"] if minmax else None,
            sidu_batch=MINMAX_BATCHES["sidu"] if minmax else None,
            num_masks=self.num_masks,
            grid_shape=RECIPES[recipe].rise.grid_shape,
            keep_prob=RECIPES[recipe].rise.keep_prob,
            threshold=RECIPES[recipe].sidu.threshold,
            num_steps=self.num_steps,
            chunk_size=self.chunk_size,
            seed=self.seed,
        )


def _with_seed(training: TrainOptions, seed: int) -> TrainOptions:
    return dataclasses.replace(training, seed=seed)


def _six(
    sizes: dict[str, dict[str, int]],
    trainings: dict[tuple[str, str], TrainOptions],
    starts: Mapping[str, PretrainedName] = MappingProxyType({}),
) -> tuple[NetworkConfig, ...]:
    return tuple(
        NetworkConfig(arch, spectra, **sizes[arch], training=training, start=starts.get(arch))
        for (arch, spectra), training in trainings.items()
    )


def _small(num_steps: int, learning_rate: float) -> TrainOptions:
    return TrainOptions(
        num_steps=num_steps,
        batch_size=4,
        learning_rate=learning_rate,
        weight_decay=0.05,
        reversals=ACTION_PAIRS,
        save_every=80,
    )


_SMALL = {  # the same number of passes over the clips for every network of an architecture
    ("resnet3d18", "IR"): _small(160, 5e-4),
    ("resnet3d18", "TV"): _small(160, 5e-4),
    ("resnet3d18", "IRTV"): _small(320, 5e-4),
    ("pan", "IR"): _small(160, 5e-4),
    ("pan", "TV"): _small(160, 5e-4),
    ("pan", "IRTV"): _small(320, 5e-4),
}
_FULL_3D = TrainOptions(num_epochs=60, batch_size=16, learning_rate=1e-3, weight_decay=0.05)
_FULL_PAN = TrainOptions(num_epochs=60, batch_size=22, learning_rate=1e-3, weight_decay=0.05)

PRESETS = {
    "small": Study(
        networks=_six(
            {
                "resnet3d18": dict(width=8, num_frames=16, size=64, crop=56),
                "pan": dict(width=8, num_frames=32, size=64, crop=56),
            },
            _SMALL,
            EMBEDDED,
        ),
        clips_per_spectrum=16,
        num_masks=128,
        mask_counts=(32, 128, 512),
        num_steps=12,
    ),
    "full": Study(
        networks=_six(
            {
                "resnet3d18": dict(width=64, num_frames=16, size=256, crop=224),
                "pan": dict(width=64, num_frames=32, size=256, crop=224),
            },
            {("resnet3d18", spectra): _FULL_3D for spectra in TRAINING_SPECTRA}
            | {("pan", spectra): _FULL_PAN for spectra in TRAINING_SPECTRA},
        ),
        clips_per_spectrum=64,
        num_masks=1000,
        mask_counts=(100, 1000, 10_000),
        chunk_size=64,
    ),
}
"""By name: "full" is the study's scale, for accelerators; "small" is for two processor cores.

The budget of "small" is half an hour: six trainings, 1,280 steps in all, then at most 183,000 forward passes, a good
half of them PAN's. Its networks start from the weights that come with jaxsal, trained on both spectra of other actors,
as the study's start from weights of other clips.
"""
