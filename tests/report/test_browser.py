"""The player in a real browser: it plays, scrubs and switches, and draws what the numbers say."""

import base64
import io
import re
import shutil

import matplotlib
import numpy as np
import pytest
from PIL import Image

import jaxsal
from jaxsal.report.page import build_page
from jaxsal.report.panels import Panel, PanelCurve, PanelMap, Scene

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on the PATH")

T, H, W = 6, 12, 16
MAP = np.arange(T * H * W, dtype=np.float32).reshape(T, H, W)
ORDER = np.repeat(np.arange(1, 5), T * H * W // 4).reshape(T, H, W)
FRACTIONS = np.linspace(0, 1, 5)
GREYS = np.arange(T) / 8
CLIP = np.broadcast_to(GREYS[:, None, None, None], (T, H, W, 3)).astype(np.float32)
INFERNO = np.rint(255 * matplotlib.colormaps["inferno"](np.linspace(0, 1, 256))[:, :3])


def panel(caption, scale):
    """Class a has `scale` times the map of class b; frame t is grey t / 8; deletion puts white in, insertion black."""
    maps = [
        PanelMap("RISE", "a", scale * MAP, np.full(T, 5.0)),
        PanelMap("RISE", "b", MAP),
        PanelMap("SIDU", "a", 10 * MAP[::2]),
    ]
    curves = [
        PanelCurve(method, measure, FRACTIONS, np.linspace(0.9, 0.1, 5), 0.5, ORDER)
        for method in ("RISE", "SIDU", "random")
        for measure in ("deletion", "insertion")
    ]
    baselines = {"deletion": np.ones(3), "insertion": np.zeros(3)}
    return Panel(caption, CLIP, maps, curves, {"a": 0.75, "b": 0.25}, "a", "b", baselines)


@pytest.fixture(scope="module")
def browser():
    sync_playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").sync_playwright
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    scenes = [Scene("one", [panel("IR", 1), panel("TV", 2)]), Scene("two", [panel("TV", 1)])]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(build_page(scenes, title="a report"))
    return path


@pytest.fixture
def open_page(browser):
    """Opens a page from disk, offline; at the end nothing may have been said on the console or asked of a network."""
    complaints, contexts = [], []

    def opened(path, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def part(scene, name):
    return scene.locator(f'[data-is="{name}"]')


def pixels(canvas):
    """Red, green and blue of a canvas, (H, W, 3)."""
    picture = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.split(",")[1]))).convert("RGB"))


def colours(values, low, high):
    return INFERNO[np.rint(255 * (values - low) / (high - low)).astype(int)]


def test_plays_and_pauses(open_page, path):
    scene = open_page(path).locator(".scene").first
    part(scene, "speed").select_option("16")
    part(scene, "play").click()
    for frame in ("2", "5", "0"):  # it starts again after the last frame
        scene.page.wait_for_function(f"document.querySelector('[data-is=frame]').value == '{frame}'")
    assert part(scene, "play").inner_text() == "Pause"
    part(scene, "play").click()
    assert part(scene, "play").get_attribute("aria-pressed") == "false"
    stopped = part(scene, "frame").input_value()
    scene.page.wait_for_timeout(200)
    assert part(scene, "frame").input_value() == stopped


def test_scrubs_and_steps(open_page, path):
    scene = open_page(path).locator(".scene").first
    part(scene, "frame").fill("3")
    for clip in part(scene, "clip").all():
        np.testing.assert_allclose(pixels(clip), 255 * GREYS[3], atol=3)
    part(scene, "forward").click()
    np.testing.assert_allclose(pixels(part(scene, "clip").first), 255 * GREYS[4], atol=3)
    part(scene, "back").click()
    part(scene, "back").click()
    assert part(scene, "frame").get_attribute("aria-valuetext") == "frame 2 of 5"
    scene.focus()
    scene.press("ArrowRight")
    assert part(scene, "frame").input_value() == "3"
    scene.press(" ")
    assert part(scene, "play").inner_text() == "Pause"
    scene.press(" ")
    assert part(scene, "play").inner_text() == "Play"
    part(scene, "frame").fill("5")
    part(scene, "forward").click()
    assert part(scene, "frame").input_value() == "5"


def test_maps_have_the_colours_of_their_scale(open_page, path):
    """The greatest value is max in IR, 2 max in TV, and SIDU's above both."""
    scene = open_page(path).locator(".scene").first
    part(scene, "opacity").fill("100")
    part(scene, "frame").fill("5")
    most, of_sidu = MAP.max(), 10 * MAP[4].max()
    scales = dict(method=(2 * most, 2 * most), all=(of_sidu, of_sidu), shown=(2 * most, 2 * most), map=(most, 2 * most))
    for scale, highs in scales.items():
        part(scene, "scale").select_option(scale)
        for number, high in enumerate(highs):
            drawn = pixels(part(scene, "over").nth(number))
            np.testing.assert_allclose(drawn, colours((number + 1) * MAP[5], 0, high), atol=6)
            assert float(part(scene, "high").nth(number).inner_text()) == pytest.approx(high, rel=0.01)


def test_switches_method_class_and_opacity(open_page, path):
    scene = open_page(path).locator(".scene").first
    over, most = part(scene, "over").nth(1), MAP.max()
    part(scene, "opacity").fill("100")
    part(scene, "scale").select_option("map")
    part(scene, "class").select_option("b")
    np.testing.assert_allclose(pixels(over), colours(MAP[0], 0, most), atol=6)
    assert "explained class" in part(scene, "status").inner_text()
    part(scene, "method").select_option("SIDU")  # has class a alone, half as many slices as frames
    part(scene, "frame").fill("5")
    np.testing.assert_allclose(pixels(over), colours(10 * MAP[4], 0, 10 * MAP[::2].max()), atol=6)
    assert part(scene, "over-text").nth(1).inner_text() == "SIDU, a"
    part(scene, "opacity").fill("0")
    np.testing.assert_allclose(pixels(over), 255 * GREYS[5], atol=3)


def test_the_cursor_shows_what_the_network_saw(open_page, path):
    scene = open_page(path).locator(".scene").first
    part(scene, "frame").fill("2")
    for measure, before, after in (("deletion", GREYS[2], 1), ("insertion", 0, GREYS[2])):
        part(scene, "measure").select_option(measure)
        for step in range(5):
            part(scene, "step").fill(str(step))
            expected = np.where(ORDER[2] <= step, after, before)[..., None]
            np.testing.assert_allclose(pixels(part(scene, "seen").first), np.tile(255 * expected, 3), atol=3)
            assert f"p = {0.9 - 0.2 * step:.3f}" in part(scene, "seen-text").first.inner_text()
    chart = part(scene, "deletion").first.locator("svg")
    box = chart.bounding_box()
    chart.click(position={"x": 0.99 * box["width"], "y": box["height"] / 2})
    assert part(scene, "measure").input_value() == "deletion"
    assert part(scene, "step").input_value() == "4"


def test_charts_speak_and_show_the_band(open_page, path):
    scene = open_page(path).locator(".scene").nth(1)
    chart = part(scene, "profile").locator("svg")
    assert chart.get_attribute("aria-label").startswith("Mean of each frame, from ")
    heights = [float(pair.split(",")[1]) for pair in chart.locator(".band").get_attribute("points").split()]
    line = [float(pair.split(",")[1]) for pair in chart.locator(".line").get_attribute("points").split()]
    slope = (line[0] - line[5]) / (MAP[5] - MAP[0]).mean()
    np.testing.assert_allclose(line[0] - heights[0], 1.96 * 5 * slope, atol=0.2)
    assert "areas: RISE 0.500" in part(scene, "deletion").locator("svg").get_attribute("aria-label")
    assert part(scene, "numbers").locator("tr.chosen").inner_text().split() == ["RISE", "0.500", "0.500"]


def test_every_control_has_a_name_and_fits_a_phone(open_page, path):
    for scheme in ("light", "dark"):
        page = open_page(path, viewport={"width": 360, "height": 740}, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for control in page.locator("button, input, select").all():
            assert control.evaluate("c => (c.labels[0] ?? c).innerText + (c.ariaLabel ?? '')").strip()
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(re.search(r"\d+", colour)[0]) < 128) == (scheme == "dark")


def test_a_notebook_shows_the_player(open_page, tmp_path):
    shown = jaxsal.view(CLIP, {"RISE": MAP})
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><html data-ready><body>{shown._repr_html_()}</body></html>")
    page = open_page(path)
    frame = page.frame_locator("iframe")
    frame.locator(".scene").wait_for()
    frame.locator('[data-is="frame"]').fill("4")
    assert frame.locator('[data-is="frame-text"]').inner_text() == "4 of 5"
    assert not frame.locator('[data-is="curve-controls"]').is_visible()
    fits = "f => Math.abs(f.clientHeight - f.contentDocument.body.scrollHeight) < 20"
    page.wait_for_function(f"({fits})(document.querySelector('iframe'))")
