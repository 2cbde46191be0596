"""The player on the recording's own frames, and all methods beside each other, in a real browser."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from jaxsal.datasets.recordings.excerpt import Box
from jaxsal.drawing.colours import map_bar
from jaxsal.drawing.recording import Ground
from jaxsal.report.page import build_page
from jaxsal.report.panels import Panel, PanelMap
from jaxsal.report.scenes import Scene

pytestmark = pytest.mark.browser

T, H, W = 4, 12, 16
BOX = Box(8, 40, 96, 128)
MAPS = {"RISE": np.arange(T * H * W, dtype=np.float32).reshape(T, H, W), "SIDU": np.zeros((2, H, W), np.float32)}
MAPS["SIDU"][:, 3:6, 4:9] = 1
CLIP = np.full((T, H, W, 3), 0.5, np.float32)


def ground(spectrum):
    """Frame t of the recording is grey 40 t, with a second mark for each spectrum."""
    frames = np.repeat(np.arange(T, dtype=np.uint8), 112 * 224 * 3).reshape(T, 112, 224, 3) * 40
    labels = [f"{10 + number}, {number / 15 + (spectrum == 'TV'):.2f} s" for number in range(T)]
    return Ground(frames, BOX, labels, 7.5, "recording")


@pytest.fixture(scope="module")
def scene(open_page, tmp_path_factory):
    maps = [PanelMap(name, "a", values) for name, values in MAPS.items()]
    panels = [
        Panel(name, CLIP, maps, probabilities={"a": 1.0}, target="a", ground=ground(name)) for name in ("IR", "TV")
    ]
    path = tmp_path_factory.mktemp("page") / "report.html"
    gone = Panel("", CLIP, maps, ground=ground("IR")._replace(name="input", note="walk.mp4 is no longer there"))
    path.write_text(build_page([Scene("fused", panels, "limits"), Scene("gone", [gone])], title=""))
    return open_page(path, size=(1280, 2400)).locator(".scene").first


def part(scene, name):
    return scene.locator(f'[data-is="{name}"]')


def pixels(canvas):
    picture = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.split(",")[1]))).convert("RGB")).astype(int)


def test_maps_lie_on_the_recording_as_the_pictures_draw_them(scene):
    """Both spectra, crop and resize undone, the edge white, times of each; then the network's input."""
    part(scene, "scale").select_option("map")
    part(scene, "frame").fill("3")
    drawn = ground("IR").overlay(MAPS["RISE"], map_bar(MAPS["RISE"]))[3].astype(int)
    for number, second in enumerate(("0.20 s", "1.20 s")):
        found = pixels(part(scene, "over").nth(number))
        assert found.shape == (112, 224, 3)
        assert (found[8:104, [40, 167]] == 255).all()
        inside = np.zeros((112, 224), bool)
        inside[10:102, 42:166] = True
        outside = ~np.pad(inside[10:102, 42:166], [(10, 10), (42, 58)]) & (np.indices((112, 224))[1] < 40)
        np.testing.assert_allclose(found[inside], drawn[inside], atol=8)
        np.testing.assert_allclose(found[outside], 120, atol=3)
        assert part(scene, "over-text").nth(number).inner_text() == f"RISE, a, frame 13, {second}"
    assert part(scene, "frame-text").inner_text() == "13, 0.20 s (4 of 4)"
    assert part(scene, "speed").input_value() == "7.5"
    part(scene, "on").select_option("input")
    assert pixels(part(scene, "over").first).shape == (H, W, 3)
    part(scene, "on").select_option("recording")


def test_all_methods_are_shown_together_and_chosen_by_the_keyboard(scene):
    part(scene, "frame").fill("1")
    part(scene, "all").focus()
    scene.page.keyboard.press("Space")
    tiles = scene.locator(".tile")
    assert not part(scene, "over").first.is_visible()
    assert [text.split(":")[0] for text in tiles.all_inner_texts()] == ["RISE", "SIDU"] * 2
    assert [tiles.nth(n).get_attribute("aria-pressed") for n in range(4)] == ["true", "false"] * 2
    part(scene, "forward").click()
    for number, name in enumerate((*MAPS, *MAPS)):
        label = part(tiles.nth(number), "tile").get_attribute("aria-label")
        assert label.startswith(f"{name} map of class a over ")
        assert "frame 12, " in label
    tiles.nth(1).focus()
    scene.page.keyboard.press("Space")
    assert part(scene, "method").input_value() == "SIDU"
    assert part(scene, "bar-title").first.inner_text().startswith("SIDU: saliency")
    scene.page.set_viewport_size({"width": 360, "height": 740})
    assert scene.page.evaluate("document.documentElement.scrollWidth") <= 360
    left, right = (tiles.nth(n).bounding_box() for n in (0, 2))
    assert left["y"] == right["y"]
    scene.page.set_viewport_size({"width": 1280, "height": 2400})
    part(scene, "all").uncheck()
    assert part(scene, "over").first.is_visible()


def test_a_recording_that_is_gone_is_said(scene):
    other = scene.page.locator(".scene").nth(1)
    other.scroll_into_view_if_needed()
    part(other, "over").wait_for()
    assert part(other, "note").inner_text() == "walk.mp4 is no longer there"
    assert not part(other, "on").is_visible()
