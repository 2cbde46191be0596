"""Accuracy of a new head on a trained network, each recording left out in turn.

Command: python experiments/transfer/leave_one_out.py data/fir_action/four --start i3d --frames spread
What it computes is that of `jaxsal train --start i3d --trained head`, once for each recording held out; the features of
a clip do not depend on which, and are computed once. The weight decay is the one with which the recordings that are
left predict each other best, so that no held-out clip has a say in it. Intervals are Student's t of recordings. Two CPU
cores: some four minutes for 88 clips of 16x224x224.
"""

import dataclasses
from typing import Annotated

import numpy as np
import tyro

from jaxsal.datasets.catalog import open_clips
from jaxsal.datasets.pipeline import load_clips
from jaxsal.metrics.intervals import mean_interval
from jaxsal.training.networks import FrameChoice
from jaxsal.training.transfer import head_inputs, logistic_regression, open_network


def main(
    data: Annotated[str, tyro.conf.Positional],
    /,
    start: str = "i3d",
    frames: FrameChoice = "window",
    strides: dict[str, int] | None = None,
    weight_decays: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
) -> None:
    """Prints a Markdown table by spectrum: the share of right clips, its interval, the most frequent class's share.

    Args:
      data: Folder with IR/, TV/ and segments.csv.
      start: Trained network, as of --start of `jaxsal train`.
      frames: Frames of a clip lie in one window of its segment, or spread over all of it.
      strides: Steps of the recording between frames of a window, by spectrum; the network's own if left out.
      weight_decays: Of the head; the values to choose from.
    """
    begin = open_network(start)
    clip_set = open_clips(data, height=begin.spec.size, num_frames=begin.spec.num_frames, seed=0)
    print("| spectrum | clips | right | 95 % interval | most frequent class |\n|---|--:|--:|--:|--:|")
    for spectrum in ("TV", "IR"):
        stride = 1 if frames == "spread" else (strides or {}).get(spectrum, begin.spec.stride)
        spec = dataclasses.replace(begin.spec, frames=frames, stride=stride)
        chosen = clip_set.select(spectra=(spectrum,))
        clips = load_clips(chosen, size=spec.size, sampler=spec.sampler, antialias=spec.antialias)
        features = head_inputs(spec, begin.variables, clips, progress=True)
        labels = np.array([record.label for record in chosen.records])
        recordings = np.array([record.scene.partition(":")[0] for record in chosen.records])
        right = left_out(features, labels, recordings, weight_decays)
        interval = mean_interval(right, recordings.tolist())
        between = "none" if interval is None else "{:.3f} to {:.3f}".format(*interval)
        frequent = np.bincount(labels).max() / len(labels)
        print(f"| {spectrum} | {len(labels)} | {right.mean():.3f} | {between} | {frequent:.3f} |", flush=True)


def left_out(
    features: np.ndarray, labels: np.ndarray, recordings: np.ndarray, weight_decays: tuple[float, ...]
) -> np.ndarray:
    """Whether each clip is right under a head that was fitted to the other recordings' clips and mirror images."""
    right = np.zeros(len(labels), bool)
    for recording in np.unique(recordings):
        rest = recordings != recording
        part = features[np.repeat(rest, 2)], labels[rest], recordings[rest]
        shares = [left_out(*part, (decay,)).mean() for decay in weight_decays] if len(weight_decays) > 1 else [0.0]
        kernel, bias = logistic_regression(
            part[0], np.repeat(part[1], 2), labels.max() + 1, weight_decay=weight_decays[int(np.argmax(shares))]
        )
        logits = features[::2][~rest] @ kernel + bias
        right[~rest] = logits.argmax(axis=1) == labels[~rest]
    return right


if __name__ == "__main__":
    tyro.cli(main)
