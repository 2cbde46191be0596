"""A page carries all that it shows, exactly; no browser is needed here."""

import re

import jax
import numpy as np
import pytest

from jaxsal.report.page import build_page, checksum
from jaxsal.report.panels import Panel, PanelMap
from jaxsal.report.scenes import Scene, scenes_of
from pages import CLASSES, CLASSIFIER, CLIP, decode_volume, page_data


@pytest.mark.parametrize("measure", ["deletion", "insertion"])
def test_what_the_network_saw_gives_the_curve(found, measure):
    """The clip put together from the page's order and the baseline has the curve's score at every step."""
    explanation = found[1]
    (scene, _) = scenes_of(found, CLASSES, num_scenes=2)
    panel = scene.panels[1]
    data = page_data(build_page([scene], title=""))["scenes"][0]["panels"][1]
    for curve in (curve for curve in data["curves"] if curve["measure"] == measure):
        order = decode_volume(data["orders"][curve["order"]])
        baseline = np.broadcast_to(panel.baselines[measure], CLIP.shape)
        before, after = (panel.clip, baseline) if measure == "deletion" else (baseline, panel.clip)
        for step, score in enumerate(curve["scores"]):
            seen = np.where(order <= step, after, before).astype(np.float32)
            logits = CLASSIFIER(jax.numpy.asarray(seen))
            np.testing.assert_allclose(jax.nn.softmax(logits)[explanation.target], score, rtol=1e-4)


def test_a_small_page_has_thinner_maps(found):
    scenes = scenes_of(found, CLASSES, num_scenes=2)
    whole = build_page(scenes, title="")
    small = build_page(scenes, title="", max_bytes=len(whole.encode()) - 1)
    assert len(small.encode()) < len(whole.encode())
    assert page_data(small)["scenes"][0]["panels"][0]["maps"][0]["shape"] == [4, 3, 4]
    assert '<p class="hint" >To keep the page small, maps are drawn at one of 2 rows and columns' in small
    assert '<p class="hint" hidden>To keep the page small' in whole
    with pytest.raises(ValueError, match="`max_bytes` must be enough for the clips; got 1,000 bytes for a page of"):
        build_page(scenes, title="", max_bytes=1000)


def test_bad_scenes():
    with pytest.raises(ValueError, match="`scenes` must hold at least one scene; got none"):
        build_page([], title="")
    panels = [Panel("", clip, [PanelMap("RISE", None, clip[..., 0])]) for clip in (CLIP, CLIP[:2])]
    with pytest.raises(ValueError, match=r"`scenes` must have clips of one length each; got \[4, 2\] in 'x'"):
        build_page([Scene("x", panels)], title="")


def test_a_page_has_the_checksum_of_its_text():
    """Of tables, clips and program; the player compares it."""
    panel = Panel("", CLIP, [PanelMap("RISE", None, CLIP[..., 0])])
    page = build_page([Scene("x", [panel])], title="a & b", header="<table><tr><td>0.53</td></tr></table>")
    assert re.findall(r'<html lang="en" data-crc32="(\d+)">', page) == [str(checksum(page))]
    for old, new in (("0.53", "0.43"), ('"frames":', '"frbmes":'), ("function start", "function stbrt")):
        assert checksum(page.replace(old, new, 1)) != checksum(page)
