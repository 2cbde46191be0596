"""Options of training and of explaining, as frozen dataclasses that configs and the command line share."""

import dataclasses
from dataclasses import dataclass

from jaxsal.checks import check_choice, check_positive

METHODS = {"gradcam": "Grad-CAM", "rise": "RISE", "sidu": "SIDU"}
REFERENCES = ("random", "constant")
OPTIMIZERS = ("adamw", "sgd")
CROPPING = ("random", "multiscale")


@dataclass(frozen=True)
class TrainOptions:
    """How a network is trained.

    Attributes:
      num_steps: Gradient steps.
      num_epochs: Passes over the training clips, each of as many steps as there are whole batches; it takes the
        place of `num_steps`.
      batch_size: Clips of a step.
      optimizer: "adamw", with a linear warm-up over a tenth of the steps and a cosine decay to 0; or "sgd", the
        study's, with momentum 0.9, gradients clipped to norm 20, a learning rate that falls to a tenth after 3/5
        and again after 4/5 of the steps, and groups of parameters with rates of their own.
      learning_rate: The highest.
      weight_decay: Of AdamW, or times the weights added to SGD's gradient.
      cropping: "random" squares of the network's size, or "multiscale": squares and near-squares of several sizes
        from 13 positions, resized.
      flip_prob: Chance of mirroring a clip from left to right.
      seed: Of the starting weights, the order of clips, the choice of frames, the augmentation and dropout.
      save_every: Steps between checkpoints.
    """

    num_steps: int = 2000
    num_epochs: int | None = None
    batch_size: int = 16
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    cropping: str = "random"
    flip_prob: float = 0.5
    seed: int = 0
    save_every: int = 200

    def __post_init__(self):
        for name in ("num_steps", "batch_size", "save_every"):
            check_positive(name, getattr(self, name))
        if self.num_epochs is not None:
            check_positive("num_epochs", self.num_epochs)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("cropping", self.cropping, CROPPING)
        if not self.learning_rate > 0:
            raise ValueError(f"`learning_rate` must be above 0; got {self.learning_rate}.")
        if not self.weight_decay >= 0:
            raise ValueError(f"`weight_decay` must be at least 0; got {self.weight_decay}.")
        if not 0 <= self.flip_prob <= 1:
            raise ValueError(f"`flip_prob` must be in [0, 1]; got {self.flip_prob}.")

    def on_clips(self, num_clips: int) -> "TrainOptions":
        """The options with the steps that `num_epochs` stands for on so many training clips."""
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


def train_options(
    recipe: str = "default",
    *,
    num_steps: int | None = None,
    num_epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    cropping: str | None = None,
    flip_prob: float | None = None,
    seed: int = 0,
    save_every: int = 200,
) -> TrainOptions:
    """The options of a recipe, with single ones replaced; None leaves an option to the recipe.

    Args:
      recipe: "default", or "icpr2022" for what the study trained PAN with: 50 epochs of SGD in batches of 22.
      num_steps: Gradient steps; they take the place of the recipe's epochs.
      num_epochs: Passes over the training clips instead of steps.
      batch_size: Clips of a step.
      optimizer: adamw or sgd.
      learning_rate: The highest.
      weight_decay: Of AdamW, or times the weights added to SGD's gradient.
      cropping: random or multiscale.
      flip_prob: Chance of mirroring a clip from left to right.
      seed: Of the starting weights, the order of clips, the choice of frames, the augmentation and dropout.
      save_every: Steps between checkpoints.

    Raises:
      ValueError: If the recipe is unknown, or an option's value is not allowed.
    """
    given = dict(locals())
    check_choice("recipe", given.pop("recipe"), tuple(TRAIN_RECIPES))
    chosen = {name: value for name, value in given.items() if value is not None}
    if "num_steps" in chosen:
        chosen = {"num_epochs": None} | chosen
    return dataclasses.replace(TRAIN_RECIPES[recipe], **chosen)


@dataclass(frozen=True)
class ExplainOptions:
    """How clips are explained and how the maps are measured; None leaves an option to the recipe.

    Attributes:
      method: Which of gradcam, rise and sidu to run.
      references: Maps that know nothing to measure beside them: random, constant.
      recipe: "default", "icpr2022" (the study's code) or "canonical" (each method's own code).
      num_masks: RISE: N.
      grid_shape: RISE: cells of the grid in time, height and width.
      keep_prob: RISE: chance of keeping a cell.
      estimator: RISE: "mean" or "centered".
      threshold: SIDU: activations above it make a channel's mask.
      rise_batch: RISE: masked clips that are normalised as one, see `jaxsal.recipes.RiseOptions.batch_size`.
      sidu_batch: SIDU: the same.
      num_steps: Deletion and insertion: scores of a curve.
      deletion_baseline: What deletion puts in: zero, mean, blur or gaussian.
      insertion_baseline: What insertion starts from, out of the same.
      chunk_size: Forward passes at once; changes speed and memory, not the result.
      seed: Of RISE's masks and of the random map.
    """

    method: tuple[str, ...] = tuple(METHODS)
    references: tuple[str, ...] = ("random",)
    recipe: str = "default"
    num_masks: int | None = None
    grid_shape: tuple[int, int, int] | None = None
    keep_prob: float | None = None
    estimator: str | None = None
    threshold: float | None = None
    rise_batch: int | None = None
    sidu_batch: int | None = None
    num_steps: int | None = None
    deletion_baseline: str | None = None
    insertion_baseline: str | None = None
    chunk_size: int = 16
    seed: int = 0

    def __post_init__(self):
        if not self.method:
            raise ValueError(f"`method` must name at least one of {tuple(METHODS)}; got none.")
        for method in self.method:
            check_choice("method", method, tuple(METHODS))
        for reference in self.references:
            check_choice("references", reference, REFERENCES)
        check_positive("chunk_size", self.chunk_size)
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0; got {self.seed}.")

    def overrides(self, *names: str) -> dict:
        """Those of the named options that are not left to the recipe."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}
