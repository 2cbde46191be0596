"""Options of training and of explaining, as frozen dataclasses that configs and the command line share."""

from dataclasses import dataclass

from jaxsal.checks import check_choice, check_positive

METHODS = {"gradcam": "Grad-CAM", "rise": "RISE", "sidu": "SIDU"}
REFERENCES = ("random", "constant")


@dataclass(frozen=True)
class TrainOptions:
    """How a network is trained.

    Attributes:
      num_steps: Gradient steps.
      batch_size: Clips of a step.
      learning_rate: Peak of a linear warm-up (a tenth of the steps) and a cosine decay to 0.
      weight_decay: Of AdamW.
      flip_prob: Chance of mirroring a clip from left to right.
      seed: Of the starting weights, the order of clips, the windows and the augmentation.
      save_every: Steps between checkpoints.
    """

    num_steps: int = 2000
    batch_size: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    flip_prob: float = 0.5
    seed: int = 0
    save_every: int = 200

    def __post_init__(self):
        for name in ("num_steps", "batch_size", "save_every"):
            check_positive(name, getattr(self, name))
        if not self.learning_rate > 0:
            raise ValueError(f"`learning_rate` must be above 0; got {self.learning_rate}.")
        if not self.weight_decay >= 0:
            raise ValueError(f"`weight_decay` must be at least 0; got {self.weight_decay}.")
        if not 0 <= self.flip_prob <= 1:
            raise ValueError(f"`flip_prob` must be in [0, 1]; got {self.flip_prob}.")


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
