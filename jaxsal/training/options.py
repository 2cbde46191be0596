"""Options of training, and the named sets of them."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack

from jaxsal.core.checks import check_choice, check_positive, check_seed
from jaxsal.core.kinds import check_fields

Optimizer = Literal["adamw", "sgd"]
Cropping = Literal["random", "multiscale"]
Trained = Literal["all", "last", "head"]
TrainRecipe = Literal["default", "icpr2022"]
PretrainedName = Literal["i3d", "embedded", "embedded-pan"]
"""Of a network that comes trained."""
EMBEDDED: dict[str, PretrainedName] = {"resnet3d18": "embedded", "pan": "embedded-pan"}
"""By architecture, the network that knows the embedded actions and comes with jaxsal."""
FrameChoice = Literal["window", "spread"]
"""Where the frames of a clip lie: in one window of the recording, or over all of it."""


@check_fields
@dataclass(frozen=True)
class TrainOptions:
    """How a network is trained.

    Attributes:
      num_steps: Gradient steps, at least 1; not used if `num_epochs` is set.
      num_epochs: Passes over the training clips, at least 1, each of as many steps as there are whole batches.
      batch_size: Clips per step, at least 1.
      optimizer: "adamw" with a linear warm-up over a tenth of the steps and a cosine decay to 0; or "sgd", the
        study's: momentum 0.9, gradients clipped to norm 20, the learning rate divided by 10 after 3/5 and again
        after 4/5 of the steps, and a learning rate of its own for each group of parameters.
      learning_rate: Highest learning rate of the schedule, above 0.
      weight_decay: Weight decay of AdamW; for SGD, the share of each weight that is added to its gradient; at least 0.
      cropping: "random" cuts squares of the network's size; "multiscale" cuts squares and near-squares of several
        sizes at 13 positions and resizes them.
      flip_prob: Probability of mirroring a clip from left to right, 0 to 1.
      reversals: Pairs of classes that are each other backwards in time: every clip of one is also shown backwards, in
        the same batch, as a clip of the other. Doubles the clips of a step.
      drop_spectrum: Networks that take both spectra at once: probability that a clip is shown in one spectrum alone,
        either as likely, 0 to 1.
      trained: "all" parameters; the "last" stage of the network with its head; or the "head" alone, which then is
        fitted to its optimum on features that are computed once (`jaxsal.training.transfer.fit_head`), so that of the
        other options `weight_decay` alone counts. With the last two, batch norm keeps its statistics.
      seed: Seed of the initial weights, the order of clips, the choice of frames, the augmentation and dropout; 0
        to 4294967295.
      save_every: Steps between checkpoints, at least 1.
    """

    num_steps: int = 2000
    num_epochs: int | None = None
    batch_size: int = 16
    optimizer: Optimizer = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    cropping: Cropping = "random"
    flip_prob: float = 0.5
    reversals: tuple[tuple[str, str], ...] = ()
    drop_spectrum: float = 0.1
    trained: Trained = "all"
    seed: int = 0
    save_every: int = 200

    def __post_init__(self):
        for name in ("num_steps", "batch_size", "save_every"):
            check_positive(name, getattr(self, name))
        if self.num_epochs is not None:
            check_positive("num_epochs", self.num_epochs)
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"`learning_rate` must be above 0; got {self.learning_rate}.")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"`weight_decay` must be at least 0; got {self.weight_decay}.")
        for name in ("flip_prob", "drop_spectrum"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be in [0, 1]; got {getattr(self, name)}.")
        check_seed(self.seed)

    def on_clips(self, num_clips: int) -> "TrainOptions":
        """The options with `num_epochs` turned into steps, for a number of training clips."""
        if self.num_epochs is None:
            return self
        return dataclasses.replace(self, num_steps=self.num_epochs * max(num_clips // self.batch_size, 1))


TRAIN_RECIPES = {
    "default": TrainOptions(),
    "icpr2022": TrainOptions(
        num_epochs=50,
        batch_size=22,
        optimizer="sgd",
        learning_rate=1e-3,
        weight_decay=1e-4,
        cropping="multiscale",
    ),
}
"""By name: this project's, and what the study trained PAN with."""


class TrainChoices(TypedDict, total=False):
    """Fields of `TrainOptions`, for an editor and a type checker."""

    num_steps: int
    num_epochs: int | None
    batch_size: int
    optimizer: Optimizer
    learning_rate: float
    weight_decay: float
    cropping: Cropping
    flip_prob: float
    drop_spectrum: float
    seed: int
    save_every: int


def train_options(recipe: TrainRecipe = "default", **chosen: Unpack[TrainChoices]) -> TrainOptions:
    """The options of a recipe, with single ones replaced.

    Args:
      recipe: "default", this project's; or "icpr2022", what the study trained PAN with.
      **chosen: Fields of `TrainOptions`; `num_steps` takes the place of the recipe's epochs.

    Raises:
      TypeError: If an option is unknown.
      ValueError: If the recipe is unknown, an option's value is not allowed, or both steps and epochs are given.
    """
    check_choice("recipe", recipe, tuple(TRAIN_RECIPES))
    if chosen.keys() >= {"num_steps", "num_epochs"}:
        steps, epochs = chosen["num_steps"], chosen["num_epochs"]
        raise ValueError(f"`num_steps` must not come with `num_epochs`; got {steps} and {epochs}.")
    if "num_steps" in chosen:
        chosen["num_epochs"] = None
    return dataclasses.replace(TRAIN_RECIPES[recipe], **chosen)
