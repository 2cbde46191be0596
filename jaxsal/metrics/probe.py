"""What a set of clips gives away: classes by parts of a clip, actors by place or brightness.

A probe is ridge regression on thumbnails of training clips, read off on test clips: linear, or with a Gaussian kernel,
which also finds what no single pixel says. A part on which both are at chance holds no plain sign of the class.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from jaxsal.metrics.localization import frame_auc

PARTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "first frame": lambda frames: frames[:, :1],
    "middle frame": lambda frames: frames[:, frames.shape[1] // 2, None],
    "first and last frame": lambda frames: np.concatenate([frames[:, :1], frames[:, -1:]], axis=2),
    "mean over time": lambda frames: frames.mean(axis=1, keepdims=True),
    "single frames": lambda frames: frames,
    "whole clip": lambda frames: frames.reshape(len(frames), 1, -1),
}
"""By name, what a probe sees: (N, T, F) pixels to (N, n, F'), n samples of each clip."""
KERNELS = ("linear", "Gaussian")
MOST_SAMPLES = 3000  # a probe trains on; of more, evenly spaced ones
RIDGE = 1e-2  # added to the diagonal of the kernel's matrix, in units of its mean


class Probed(NamedTuple):
    """What one probe learned from one part of the clips.

    Attributes:
      part: A key of `PARTS`.
      kernel: One of `KERNELS`.
      accuracy: Share of test samples whose class is found; chance is 1 / K.
      pair_accuracy: Of telling two classes apart, mean over the pairs, chance 1 / 2; NaN without pairs.
    """

    part: str
    kernel: str
    accuracy: float
    pair_accuracy: float


class LabelledClips(NamedTuple):
    """Thumbnails of clips, with their classes."""

    pixels: Float[np.ndarray, "N T F"]
    labels: Int[np.ndarray, " N"]

    def of(self, classes: Sequence[int]) -> "LabelledClips":
        """The clips of some classes."""
        chosen = np.isin(self.labels, classes)
        return LabelledClips(self.pixels[chosen], self.labels[chosen])


def probe_clips(train: LabelledClips, test: LabelledClips, pairs: Sequence[tuple[int, int]] = ()) -> list[Probed]:
    """Probes every part of the clips with every kernel.

    Args:
      train: Clips that the probes are fitted to.
      test: Clips of other actors.
      pairs: Classes that are also told apart two by two.

    Raises:
      ValueError: If there is no clip to fit or to test.
    """
    for name, clips in (("train", train), ("test", test)):
        if not len(clips.labels):
            raise ValueError(f"`{name}` must hold at least one clip; got none.")
    return [
        Probed(
            part,
            kernel,
            _accuracy(train, test, part, kernel),
            float(np.mean([_accuracy(train.of(pair), test.of(pair), part, kernel) for pair in pairs] or np.nan)),
        )
        for part in PARTS
        for kernel in KERNELS
    ]


def _accuracy(train: LabelledClips, test: LabelledClips, part: str, kernel: str) -> float:
    seen, seen_labels = _samples(train, part)
    asked, asked_labels = _samples(test, part)
    every = -(-len(seen) // MOST_SAMPLES)
    classes = np.unique(seen_labels)
    targets = (seen_labels[::every, None] == classes).astype(np.float64)
    scores = ridge_scores(seen[::every], targets, asked, kernel)
    return float((classes[scores.argmax(axis=1)] == asked_labels).mean())


def _samples(clips: LabelledClips, part: str) -> tuple[Float[np.ndarray, "n F"], Int[np.ndarray, " n"]]:
    samples = PARTS[part](clips.pixels)
    return samples.reshape(-1, samples.shape[2]), np.repeat(clips.labels, samples.shape[1])


def ridge_scores(
    train: Float[np.ndarray, "n F"], targets: Float[np.ndarray, "n K"], test: Float[np.ndarray, "m F"], kernel: str
) -> Float[np.ndarray, "m K"]:
    """Kernel ridge regression: k(test, train) (k(train, train) + r I)^-1 (targets - mean) + mean.

    With x centred at the training mean, k is x . y, or exp(-|x - y|^2 / mean |x - y|^2).
    """
    mean, middle = train.mean(axis=0), targets.mean(axis=0)
    train, test = train - mean, test - mean
    gram, cross = train @ train.T, test @ train.T
    if kernel == "Gaussian":
        norms, test_norms = (train**2).sum(axis=1), (test**2).sum(axis=1)
        width = 2 * norms.mean()  # the mean of |x - y|^2 over training samples
        gram = np.exp((2 * gram - norms[:, None] - norms) / width)
        cross = np.exp((2 * cross - test_norms[:, None] - norms) / width)
    ridge = RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    return cross @ np.linalg.solve(gram + ridge, targets - middle) + middle


class Cue(NamedTuple):
    """How well a map that knows no class finds the actor.

    Attributes:
      name: "brightness" or "centre".
      auc: ROC AUC of the actor's pixels within a frame, mean over frames and clips; 0.5 says nothing.
      either_way: The mean over clips of the greater of a clip's AUC and 1 - AUC, the clip's sign being known.
    """

    name: str
    auc: float
    either_way: float


def actor_cues(grey: Float[np.ndarray, "N T H W"], masks: Bool[np.ndarray, "N T H W"]) -> list[Cue]:
    """How well brightness and the centre of the picture find the actor.

    Args:
      grey: The brightness of each clip.
      masks: Its actor's pixels.
    """
    cues = {"brightness": grey, "centre": np.broadcast_to(_nearness(*grey.shape[2:]), grey.shape)}
    found = []
    for name, maps in cues.items():
        flat = (array.reshape(*array.shape[:2], -1) for array in (np.asarray(maps, np.float32), masks))
        aucs = np.array([float(frame_auc(*clip)) for clip in zip(*flat, strict=True)])
        found.append(Cue(name, float(aucs.mean()), float(np.maximum(aucs, 1 - aucs).mean())))
    return found


def _nearness(height: int, width: int) -> Float[np.ndarray, "H W"]:
    rows, columns = ((np.arange(n) + 0.5) / n - 0.5 for n in (height, width))
    return -np.hypot(rows[:, None], columns)


def thumbnails(frames: Shaped[np.ndarray, "N T S S *C"]) -> Float[np.ndarray, "N T F"]:
    """Squares reduced to a quarter of their side, their pixels in a row."""
    num_clips, length, size = frames.shape[:3]
    blocks = frames.reshape(num_clips, length, size // 4, 4, size // 4, 4, -1).astype(np.float32)
    return blocks.mean(axis=(3, 5)).reshape(num_clips, length, -1)


def centred(masks: Bool[np.ndarray, "N T S S"]) -> Bool[np.ndarray, "N T S S"]:
    """Outlines moved so that the middle of each clip's is in the centre of the frame: where they stood is not seen."""
    size = masks.shape[-1]
    padded = np.pad(masks, [(0, 0), (0, 0), (size, size), (size, size)])
    moved = np.empty_like(masks)
    for number, mask in enumerate(masks):
        row, column = (round(np.mean(places) + size / 2 + 0.5) for places in np.nonzero(mask)[1:])
        moved[number] = padded[number, :, row : row + size, column : column + size]
    return moved
