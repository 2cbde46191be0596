"""Figures of curves: the lines, bands and legends are the numbers, files are what their suffix says."""

import sys

import numpy as np
from scipy import stats

from jaxsal.drawing.plots import CurvePanel, draw_curves, save_figure

FRACTIONS = np.linspace(0, 1, 11)
CURVES = {
    "Grad-CAM": np.random.default_rng(0).random((6, 11)),
    "random": np.random.default_rng(1).random((6, 11)),
}


def test_lines_are_means_with_auc_in_the_legend():
    (axis,) = draw_curves({"deletion": CurvePanel(FRACTIONS, CURVES, floor=0.125)}, title="IR").axes

    for line, (method, scores) in zip(axis.lines, CURVES.items(), strict=False):
        np.testing.assert_allclose(line.get_ydata(), scores.mean(axis=0))
        auc = np.mean([np.trapezoid(clip, dx=0.1) for clip in scores])
        assert line.get_label() == f"{method}, AUC {auc:.3f}"
    np.testing.assert_array_equal(axis.lines[2].get_ydata(), 0.125)
    legend = [text.get_text() for text in axis.get_legend().get_texts()]
    assert legend == [line.get_label() for line in axis.lines[:2]] + ["floor, 0.125"]
    assert axis.get_title() == "deletion"
    assert axis.get_ylabel() == "probability of the target"
    assert axis.figure.get_suptitle() == "IR"


def test_controls_are_thin_and_grey_and_the_figure_says_what_bands_are():
    panel = CurvePanel(FRACTIONS, {"RISE": CURVES["random"], "constant": CURVES["random"][:3]} | CURVES)
    figure = draw_curves({"deletion": panel})
    lines = dict(zip(panel.curves, figure.axes[0].lines, strict=True))
    for reference in ("random", "constant"):
        assert lines[reference].get_color() == "#777777"
        assert lines[reference].get_linewidth() < 0.6 * lines["RISE"].get_linewidth()
    assert lines["random"].get_linestyle() != "-"
    assert len({line.get_color() for line in lines.values()}) == 3
    assert figure.get_supxlabel() == "lines: mean over 3 to 6 clips; bands: a method's 95 % interval (Student's t)"
    one = draw_curves({"deletion": CurvePanel(FRACTIONS, {"RISE": CURVES["random"][:1]})})
    assert one.get_supxlabel() == "one clip, no bands"
    assert set(one.axes[0].collections[0].get_paths()[0].vertices[:, 1]) == set(CURVES["random"][0])


def test_the_legend_hides_no_curve():
    figure = draw_curves(
        {name: CurvePanel(FRACTIONS, CURVES, floor=0.1) for name in ("deletion", "insertion")}, title=""
    )
    figure.draw_without_rendering()
    for axis in figure.axes:
        legend, curves = axis.get_legend().get_window_extent(), axis.get_window_extent()
        assert legend.y1 <= curves.y0
        assert figure.bbox.containsx(legend.x0)
        assert legend.y0 >= 0


def test_band_is_the_t_interval_of_the_mean():
    (axis,) = draw_curves({"insertion": CurvePanel(FRACTIONS, CURVES)}).axes
    methods = [scores for method, scores in CURVES.items() if method != "random"]  # controls have none
    for band, scores in zip(axis.collections, methods, strict=True):
        low, high = stats.t.interval(0.95, 5, scores.mean(axis=0), stats.sem(scores, axis=0))
        corners = band.get_paths()[0].vertices
        for x, *ends in zip(FRACTIONS, low, high, strict=True):
            heights = corners[np.isclose(corners[:, 0], x), 1]
            np.testing.assert_allclose([heights.min(), heights.max()], ends)


def test_a_method_looks_the_same_in_every_panel_and_unlike_the_others():
    panels = {
        "deletion": CurvePanel(FRACTIONS, CURVES),
        "insertion": CurvePanel(FRACTIONS, dict(reversed(CURVES.items()))),
    }
    first, second = draw_curves(panels).axes
    looks = [(line.get_color(), line.get_linestyle()) for line in (*first.lines, *second.lines)]
    assert looks[:2] == looks[:1:-1]
    assert looks[0][0] != looks[1][0]
    assert looks[0][1] != looks[1][1]


def test_plotting_leaves_pyplot_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # an import of it fails
    save_figure(tmp_path / "curves.png", draw_curves({"deletion": CurvePanel(FRACTIONS, CURVES)}))
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
