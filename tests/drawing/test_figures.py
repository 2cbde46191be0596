"""Frames and maps side by side as a figure."""

import numpy as np
import pytest

from jaxsal.drawing.figures import draw_frames, map_rows
from jaxsal.drawing.pictures import Bar

FRAMES = np.random.default_rng(0).integers(0, 256, (9, 4, 6, 3), dtype=np.uint8)


def test_evenly_spaced_frames_of_every_row_with_their_bar():
    rows, bars = {"clip": FRAMES, "RISE": FRAMES[::-1]}, {"RISE": Bar(0.25, 0.5, "mean probability")}
    times = [f"{n / 10} s" for n in range(9)]
    figure = draw_frames(rows, num_frames=3, titles=times, bars=bars, title="walk")
    pictures = [axis for axis in figure.axes if axis.images]
    for axis, expected in zip(pictures, [*FRAMES[[0, 4, 8]], *FRAMES[[8, 4, 0]]], strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), expected)
    assert [axis.get_title() for axis in pictures[:3]] == ["0.0 s", "0.4 s", "0.8 s"]
    assert [axis.get_ylabel() for axis in pictures[::3]] == ["clip", "RISE"]
    (bar,) = [axis for axis in figure.axes if axis.get_ylabel() == "mean probability"]
    assert bar.get_ylim() == (0.25, 0.5)
    assert figure.get_suptitle() == "walk"


def test_maps_alone_go_from_the_first_colour_to_the_last():
    rows, bars = map_rows({"map": np.array([[[2.0, 4.0]]])}, {"map": "logits"})
    assert rows["map"][0, 0].tolist() == [[13, 8, 135], [240, 249, 33]]
    assert bars["map"][:3] == (2.0, pytest.approx(3.99), "logits")


def test_no_frames_are_no_figure():
    with pytest.raises(ValueError, match="`num_frames` must be at least 1; got 0"):
        draw_frames({"clip": FRAMES}, num_frames=0)
