"""The figure of the table has its numbers at their place."""

import numpy as np
from matplotlib.colors import to_hex

from jaxsal.metrics.summary import ClipResult, summarise
from jaxsal.report.table_figure import draw_table

NUM_CLIPS = 12


def results():
    """RISE is better than the random map in deletion alone, Grad-CAM the other way round."""
    rng = np.random.default_rng(0)
    centres = {"RISE": (0.2, 0.4), "Grad-CAM": (0.9, 0.8), "random": (0.5, 0.5)}
    return [
        ClipResult(f"{clip}", spectrum, method, 0, 0, *(np.array(centre) + rng.normal(0, 0.02, 2)), 0.1, 0.1, 1.0)
        for spectrum in ("IR", "TV")
        for method, centre in centres.items()
        for clip in range(NUM_CLIPS)
    ]


def test_points_lines_and_texts_are_the_numbers():
    rows = summarise(results())
    axes = np.reshape(draw_table(rows).axes, (2, 2))
    for line, spectrum in zip(axes, ("IR", "TV"), strict=True):
        for axis, name in zip(line, ("deletion", "insertion"), strict=True):
            measures = [getattr(row, name) for row in rows if row.spectrum == spectrum and getattr(row, name)]
            assert axis.get_title("left").startswith(f"{spectrum}, {NUM_CLIPS} clips: {name}")
            intervals, points = axis.lines[::2], axis.lines[1::2]
            for place, (measure, interval, point, text) in enumerate(
                zip(measures, intervals, points, axis.texts, strict=True)
            ):
                np.testing.assert_array_equal(interval.get_xydata(), [[measure.low, place], [measure.high, place]])
                np.testing.assert_array_equal(point.get_xydata(), [[measure.mean, place]])
                assert text.get_text() == f"{measure.mean:.3f} [{measure.low:.3f}, {measure.high:.3f}]"
    names = [label.get_text() for label in axes[0, 0].get_yticklabels()]
    assert names == ["RISE", "Grad-CAM", "random", "floor"]


def test_points_are_filled_where_a_method_is_better_than_random():
    deletion, insertion, *_ = draw_table(summarise(results())).axes
    faces = [[to_hex(line.get_markerfacecolor()) for line in axis.lines[1::2]] for axis in (deletion, insertion)]
    assert [face == "#ffffff" for face in faces[0]] == [False, True, False, False]
    assert [face == "#ffffff" for face in faces[1]] == [True, False, False, False]
    assert faces[0][2] != faces[0][0]


def test_controls_are_grey_and_the_key_says_so():
    """A constant map is tested against the random one, and is a reference all the same."""
    constant = [row._replace(method="constant", deletion=0.1) for row in results() if row.method == "random"]
    figure = draw_table(summarise([*results(), *constant]))
    points = figure.axes[0].lines[1::2]
    greys = [to_hex(point.get_color()) == "#777777" for point in points]
    assert greys == [False, False, True, True, True]
    (key,) = figure.legends
    assert [text.get_text() for text in key.get_texts()][1:] == ["not better, or not tested", "to compare with"]


def test_a_single_clip_is_a_point_without_an_interval():
    axis = draw_table(summarise([row for row in results() if row.clip == "0"])).axes[0]
    assert axis.get_title("left") == "IR, 1 clip: deletion, low is good"
    assert len(axis.lines) == len(axis.texts) == 4
    assert not any("[" in text.get_text() for text in axis.texts)
    assert "interval" not in axis.get_xlabel()
