"""Accuracy of a new head on a trained network, each recording left out in turn.

Command: python experiments/transfer/leave_one_out.py data/fir_action/four --start i3d --strides TV=4 IR=1
What it computes is that of `jaxsal train --start i3d --trained head`, once for each recording held out; the features of
a clip do not depend on which, and are computed once. Two CPU cores: some four minutes for 88 clips of 16x224x224.
"""

import dataclasses
from typing import Annotated

import numpy as np
import tyro

from jaxsal.datasets.catalog import open_clips
from jaxsal.datasets.pipeline import load_clips
from jaxsal.training.transfer import head_inputs, logistic_regression, open_network


def main(
    data: Annotated[str, tyro.conf.Positional],
    /,
    start: str = "i3d",
    strides: dict[str, int] | None = None,
    weight_decay: float = 1e-3,
) -> None:
    """Prints a Markdown table: by spectrum, the share of clips that are right, and that of the most frequent class.

    Args:
      data: Folder with IR/, TV/ and segments.csv.
      start: Trained network, as of --start of `jaxsal train`.
      strides: Steps of the recording between frames, by spectrum; the network's own if left out.
      weight_decay: Of the head.
    """
    begin = open_network(start)
    clip_set = open_clips(data, height=begin.spec.size, num_frames=begin.spec.num_frames, seed=0)
    print("| spectrum | clips | right | most frequent class |\n|---|--:|--:|--:|")
    for spectrum in ("TV", "IR"):
        stride = (strides or {}).get(spectrum, begin.spec.stride)
        spec = dataclasses.replace(begin.spec, stride=stride)
        chosen = clip_set.select(spectra=(spectrum,))
        clips = load_clips(chosen, size=spec.size, sampler=spec.sampler, antialias=spec.antialias)
        features = head_inputs(spec, begin.variables, clips, progress=True)
        labels = np.array([record.label for record in chosen.records])
        recordings = np.array([record.scene.partition(":")[0] for record in chosen.records])
        right = left_out(features, labels, recordings, len(clip_set.classes), weight_decay)
        print(f"| {spectrum} | {len(labels)} | {right.mean():.3f} | {np.bincount(labels).max() / len(labels):.3f} |")


def left_out(
    features: np.ndarray, labels: np.ndarray, recordings: np.ndarray, num_classes: int, weight_decay: float
) -> np.ndarray:
    """Whether each clip is right under a head that was fitted to the other recordings' clips and mirror images."""
    right = np.zeros(len(labels), bool)
    for recording in np.unique(recordings):
        held = recordings == recording
        training = np.repeat(~held, 2)
        fitted = logistic_regression(
            features[training], np.repeat(labels, 2)[training], num_classes, weight_decay=weight_decay
        )
        logits = features[::2][held] @ fitted[0] + fitted[1]
        right[held] = logits.argmax(axis=1) == labels[held]
    return right


if __name__ == "__main__":
    tyro.cli(main)
