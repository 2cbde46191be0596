"""Options of training and of explaining, as frozen dataclasses that configs and the command line share."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

from jaxsal.commands.annotations import left_out, one_of
from jaxsal.core.checks import check_choice, check_positive, check_seed

METHODS = {"gradcam": "Grad-CAM", "rise": "RISE", "sidu": "SIDU"}
MEASURES = ("deletion", "insertion")
REFERENCES = ("random", "constant")
PRECISIONS = ("float32", "bfloat16")
OPTIMIZERS = ("adamw", "sgd")
CROPPING = ("random", "multiscale")
SAMPLINGS = ("independent", "stratified", "sobol")
BASELINE_NAMES = ("zero", "mean", "blur", "gaussian")


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
        check_seed(self.seed)

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
    recipe: Annotated[str, one_of("default", "icpr2022"), left_out("default")] = "default",
    *,
    num_steps: Annotated[int | None, left_out("2000; icpr2022 50 epochs")] = None,
    num_epochs: Annotated[int | None, left_out("none, steps count; icpr2022 50")] = None,
    batch_size: Annotated[int | None, left_out("16; icpr2022 22")] = None,
    optimizer: Annotated[str | None, one_of(*OPTIMIZERS), left_out("adamw; icpr2022 sgd")] = None,
    learning_rate: Annotated[float | None, left_out("0.003; icpr2022 0.001")] = None,
    weight_decay: Annotated[float | None, left_out("0.01; icpr2022 0.0001")] = None,
    cropping: Annotated[str | None, one_of(*CROPPING), left_out("random; icpr2022 multiscale")] = None,
    flip_prob: Annotated[float | None, left_out("0.5")] = None,
    seed: Annotated[int, left_out("0")] = 0,
    save_every: Annotated[int, left_out("200")] = 200,
) -> TrainOptions:
    """The options of a recipe, with single ones replaced; None leaves an option to the recipe.

    Args:
      recipe: What the options below are where they are left out: "default", this project's; or "icpr2022", what the
        study trained PAN with.
      num_steps: Gradient steps, at least 1; they take the place of the recipe's epochs.
      num_epochs: Passes over the training clips, at least 1, instead of steps.
      batch_size: Clips of a step, at least 1.
      optimizer: AdamW with a warm-up and a cosine decay, or the study's SGD with a learning rate that falls twice.
      learning_rate: The highest of the training, above 0.
      weight_decay: At least 0; of AdamW, or times the weights added to SGD's gradient.
      cropping: Squares of the network's size, or squares and near-squares of several sizes, resized.
      flip_prob: Chance of mirroring a clip from left to right, 0 to 1.
      seed: Of the starting weights, the order of clips, the choice of frames, the augmentation and dropout; at least 0.
      save_every: Steps between checkpoints, at least 1.

    Raises:
      ValueError: If the recipe is unknown, an option's value is not allowed, or both steps and epochs are given.
    """
    check_choice("recipe", recipe, tuple(TRAIN_RECIPES))
    if num_steps is not None and num_epochs is not None:
        raise ValueError(f"`num_steps` must not come with `num_epochs`; got {num_steps} and {num_epochs}.")
    given: dict[str, Any] = dict(
        num_steps=num_steps,
        num_epochs=num_epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        cropping=cropping,
        flip_prob=flip_prob,
    )
    chosen = {name: value for name, value in given.items() if value is not None}
    if num_steps is not None:
        chosen["num_epochs"] = None
    return dataclasses.replace(TRAIN_RECIPES[recipe], **chosen, seed=seed, save_every=save_every)


@dataclass(frozen=True)
class ExplainOptions:
    """How clips are explained and how the maps are measured; None leaves an option to the recipe.

    Attributes:
      method: Which methods to run, one or more.
      references: Maps that know nothing, to measure beside them: none, one or both.
      recipe: What the options below are where they are left out: "default"; "icpr2022", the study's code; or
        "canonical", each method's own code.
      num_masks: RISE: N, the random masks of a clip, at least 1; the error of the map falls as 1 / sqrt(N).
      grid_shape: RISE: cells of the random grid in time, height and width, at least 1 each.
      keep_prob: RISE: chance of keeping a cell, above 0 and at most 1.
      estimator: RISE: "mean", the paper's, or "centered", with less variance.
      sampling: RISE: how the random grids go together; "stratified" and "sobol" cover them more evenly, with less
        variance but no standard errors.
      threshold: SIDU: a channel's mask is where its activation is above this; any number, in units of activations.
      rise_batch: RISE: masked clips that are normalised as one, see `jaxsal.recipes.RiseOptions.batch_size`.
      sidu_batch: SIDU: the same.
      num_steps: Deletion and insertion: scores of a curve, at least 2, the first and the last among them.
      deletion_baseline: What deletion puts in for what it removes.
      insertion_baseline: What insertion starts from.
      approximation: Deletion and insertion: score all steps, or refine, where every 8th and those between that differ
        by more than the tolerance are scored.
      tolerance: Deletion and insertion, to refine: a difference of probabilities, at least 0.
      chunk_size: Forward passes at once, at least 1; changes speed and memory, not the result. SIDU and the curves make
        whole chunks, so that more than the masks or steps of a clip costs time.
      clips_per_batch: Clips that are explained together, at least 1, but no more than `chunk_size`; changes speed and
        memory, not the result. A killed run loses at most so many, RISE's scores aside.
      seed: Of RISE's masks and of the random map, at least 0.
      precision: Of weights and activations; bfloat16 is faster on devices with units for it, and rounds scores.
    """

    method: tuple[Annotated[str, one_of(*METHODS)], ...] = tuple(METHODS)
    references: tuple[Annotated[str, one_of(*REFERENCES)], ...] = ("random",)
    recipe: Annotated[str, one_of("default", "icpr2022", "canonical")] = "default"
    num_masks: Annotated[int | None, left_out("1000; canonical 6000")] = None
    grid_shape: Annotated[tuple[int, int, int] | None, left_out("2 8 8", metavar="T H W")] = None
    keep_prob: Annotated[float | None, left_out("0.1")] = None
    estimator: Annotated[str | None, one_of("mean", "centered"), left_out("mean")] = None
    sampling: Annotated[str | None, one_of(*SAMPLINGS), left_out("independent")] = None
    threshold: Annotated[float | None, left_out("0.5; canonical 0.1")] = None
    rise_batch: Annotated[int | None, left_out("each by itself")] = None
    sidu_batch: Annotated[int | None, left_out("each by itself")] = None
    num_steps: Annotated[int | None, left_out("100; canonical one a row of the frame and one more")] = None
    deletion_baseline: Annotated[str | None, one_of(*BASELINE_NAMES), left_out("mean; icpr2022 zero")] = None
    insertion_baseline: Annotated[str | None, one_of(*BASELINE_NAMES), left_out("blur; canonical gaussian")] = None
    approximation: Annotated[str | None, one_of("none", "refine"), left_out("none")] = None
    tolerance: Annotated[float | None, left_out("0.02")] = None
    chunk_size: int = 16
    clips_per_batch: int = 4
    seed: int = 0
    precision: Annotated[str, one_of(*PRECISIONS)] = "float32"

    def __post_init__(self):
        if not self.method:
            raise ValueError(f"`method` must name at least one of {tuple(METHODS)}; got none.")
        for method in self.method:
            check_choice("method", method, tuple(METHODS))
        for reference in self.references:
            check_choice("references", reference, REFERENCES)
        check_positive("chunk_size", self.chunk_size)
        check_positive("clips_per_batch", self.clips_per_batch)
        check_choice("precision", self.precision, PRECISIONS)
        check_seed(self.seed)

    def overrides(self, *names: str) -> dict:
        """Those of the named options that are not left to the recipe."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}
