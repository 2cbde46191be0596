"""The pictures of a folder: maps that are compared share their steps of colour."""

import numpy as np
from PIL import Image

from jaxsal.report.folder import draw_overlays, shared_limits
from pages import CLASSES, explanations


def test_compared_maps_share_their_steps_of_colour(tmp_path):
    """The same map ten times as strong and 5 higher in TV: its infrared twin has the first tenth of the colours."""
    infrared, visible = explanations()[:2]
    maps = {"RISE": infrared.maps["RISE"] - infrared.maps["RISE"].min()}
    pair = [infrared._replace(maps=maps), visible._replace(maps={"RISE": 5 + 10 * maps["RISE"]})]
    most = maps["RISE"].max()
    np.testing.assert_allclose(shared_limits(pair, "RISE"), [(0, 10 * most), (5, 5 + 10 * most)], rtol=1e-6)
    of_two_classes = [pair[0], pair[1]._replace(target=1 - pair[0].target)]
    np.testing.assert_allclose(shared_limits(of_two_classes, "RISE"), [(0, most), (5, 5 + 10 * most)], rtol=1e-6)

    draw_overlays(tmp_path, pair, CLASSES)

    red = {}
    for explanation in pair:
        (path,) = tmp_path.glob(f"{explanation.name}-as-*.png")
        picture = np.asarray(Image.open(path))
        red[explanation.spectrum] = picture[-150:, 300:800].astype(int)
        assert path.with_suffix(".gif").exists()
    warm = {spectrum: ((rows[..., 0] > 150) & (rows[..., 2] < 110)).sum() for spectrum, rows in red.items()}
    assert warm["IR"] == 0
    assert warm["TV"] > 0


def test_a_title_says_the_clip_and_whether_the_answer_is_right(tmp_path, monkeypatch):
    titles = {}
    monkeypatch.setattr("jaxsal.report.folder.save_strip", lambda path, rows, title, bars: titles.update({path: bars}))
    monkeypatch.setattr(
        "jaxsal.report.folder.save_animation", lambda path, rows, title, bars: titles.update({path: title})
    )
    found = explanations()[0]._replace(name="first", label=2, target=1, probabilities=np.array([0.1, 0.2, 0.0, 0.7]))
    draw_overlays(tmp_path, [found], CLASSES, "mp4")
    assert (
        titles[tmp_path / "first-as-sit-0.20.mp4"] == "first, IR: predicted <wave> 0.70, true class bend; maps of sit"
    )
    bars = titles[tmp_path / "first-as-sit-0.20.png"]
    assert {method: bar.unit for method, bar in bars.items()} == {
        "Grad-CAM": "logits",
        "RISE": "mean probability",
        "SIDU": "similarity x uniqueness",
    }
