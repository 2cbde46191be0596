"""The pictures of a folder: maps that are compared share one colour scale."""

import numpy as np
from PIL import Image

from jaxsal.report.folder import draw_overlays, shared_limits
from pages import CLASSES, explanations


def test_maps_of_a_method_share_their_limits(tmp_path):
    """The same map ten times as strong in TV: its infrared twin is drawn in the first tenth of the colours."""
    infrared, visible = explanations()[:2]
    maps = {"RISE": infrared.maps["RISE"] - infrared.maps["RISE"].min()}
    pair = [infrared._replace(maps=maps), visible._replace(maps={"RISE": 10 * maps["RISE"]})]
    limits = shared_limits(pair)
    most = maps["RISE"].max()
    np.testing.assert_allclose(limits["RISE"], (0, 10 * most), rtol=1e-6)

    for explanation in pair:
        draw_overlays(tmp_path, explanation, CLASSES, limits)

    red = {}
    for explanation in pair:
        (path,) = tmp_path.glob(f"{explanation.name}-as-*.png")
        picture = np.asarray(Image.open(path))
        red[explanation.spectrum] = picture[picture.shape[0] // 2 : -40, 300:].astype(int)
        assert path.with_suffix(".gif").exists()
    warm = {spectrum: ((rows[..., 0] > 150) & (rows[..., 2] < 110)).sum() for spectrum, rows in red.items()}
    assert warm["IR"] == 0
    assert warm["TV"] > 0
