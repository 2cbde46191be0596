"""Accuracy of a new head on a trained network, each recording left out in turn.

Command: python experiments/transfer/leave_one_out.py data/fir_action/four --start i3d --strides TV 4 IR 1
What it computes is that of `jaxsal train --start i3d --trained head`, once for each recording held out; the features of
a clip do not depend on which, and are computed once. Frames and weight decay are those with which the recordings that
are left predict each other best, so that no held-out clip has a say in them. Intervals are Student's t of recordings.
Two CPU cores: some eight minutes for 88 clips of 16x224x224 with each choice of frames.
"""

import dataclasses
from collections.abc import Mapping
from itertools import product
from typing import Annotated

import numpy as np
import tyro

from jaxsal.datasets.catalog import open_clips
from jaxsal.datasets.pipeline import stream_clips
from jaxsal.datasets.records import ClipSet
from jaxsal.metrics.intervals import mean_interval
from jaxsal.training.checkpoint import Checkpoint
from jaxsal.training.options import FrameChoice
from jaxsal.training.transfer import head_inputs, logistic_regression, open_network

HEADER = "| spectrum | frames | clips | right | 95 % interval | most frequent class |\n|---|---|--:|--:|--:|--:|"


def main(
    data: Annotated[str, tyro.conf.Positional],
    /,
    start: str = "i3d",
    frames: tuple[FrameChoice, ...] = ("window", "spread"),
    strides: dict[str, int] | None = None,
    weight_decays: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
) -> None:
    """Prints a Markdown table of the share of right clips, by spectrum and frames of a clip.

    Args:
      data: Folder with IR/, TV/ and segments.csv.
      start: Trained network, as of --start of `jaxsal train`.
      frames: Where the frames of a clip lie in its segment; the values to choose from.
      strides: Steps of the recording between frames of a window, by spectrum; the network's own if left out.
      weight_decays: Of the head; the values to choose from.
    """
    begin = open_network(start)
    clip_set = open_clips(data, height=begin.spec.size, num_frames=begin.spec.num_frames, seed=0)
    print(HEADER)
    for spectrum in ("TV", "IR"):
        clips = clip_set.select(spectra=(spectrum,))
        stride = (strides or {}).get(spectrum, begin.spec.stride)
        features = {choice: features_of(begin, clips, choice, stride) for choice in frames}
        labels = np.array([record.label for record in clips.records])
        recordings = np.array([record.scene.partition(":")[0] for record in clips.records])
        frequent = np.bincount(labels).max() / len(labels)
        for name in [*frames, "chosen"] if len(frames) > 1 else frames:
            own = {choice: values for choice, values in features.items() if name in (choice, "chosen")}
            right = left_out(own, labels, recordings, weight_decays)
            interval = mean_interval(right, recordings.tolist())
            between = "none" if interval is None else "{:.3f} to {:.3f}".format(*interval)
            print(
                f"| {spectrum} | {name} | {len(labels)} | {right.mean():.3f} | {between} | {frequent:.3f} |", flush=True
            )


def features_of(begin: Checkpoint, clips: ClipSet, frames: FrameChoice, stride: int) -> np.ndarray:
    """What enters the head of every clip and its mirror image in turn, (2 N, d)."""
    spec = dataclasses.replace(begin.spec, frames=frames, stride=1 if frames == "spread" else stride)
    source = stream_clips(clips, size=spec.size, sampler=spec.sampler, antialias=spec.antialias)
    return head_inputs(spec, begin.variables, source, progress=True)


def left_out(
    features: Mapping[FrameChoice, np.ndarray],
    labels: np.ndarray,
    recordings: np.ndarray,
    weight_decays: tuple[float, ...],
) -> np.ndarray:
    """Whether each clip is right under a head that was fitted to the other recordings' clips and mirror images."""
    right = np.zeros(len(labels), bool)
    choices = list(product(features, weight_decays))
    for recording in np.unique(recordings):
        rest = recordings != recording
        part = {name: values[np.repeat(rest, 2)] for name, values in features.items()}
        shares = [
            left_out({name: part[name]}, labels[rest], recordings[rest], (decay,)).mean() if len(choices) > 1 else 0.0
            for name, decay in choices
        ]
        name, decay = choices[int(np.argmax(shares))]
        kernel, bias = logistic_regression(part[name], np.repeat(labels[rest], 2), labels.max() + 1, weight_decay=decay)
        logits = features[name][::2][~rest] @ kernel + bias
        right[~rest] = logits.argmax(axis=1) == labels[~rest]
    return right


if __name__ == "__main__":
    tyro.cli(main)
