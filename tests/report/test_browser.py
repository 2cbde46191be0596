"""The player in a real browser: it plays, scrubs and switches, and draws what the numbers say."""

import base64
import io
import re

import matplotlib
import numpy as np
import pytest
from PIL import Image

import jaxsal
from jaxsal.metrics.curve import Curve
from jaxsal.report.page import build_page
from jaxsal.report.panels import Panel, PanelCurve, PanelMap
from jaxsal.report.scenes import Scene

pytestmark = pytest.mark.browser

T, H, W = 6, 12, 16
MAP = np.arange(T * H * W, dtype=np.float32).reshape(T, H, W)
MOST = MAP.max()
MIDDLE, HIGH = np.quantile(MAP, [0.5, 0.995])
ORDER = np.repeat(np.arange(1, 5), T * H * W // 4).reshape(T, H, W)
FRACTIONS = np.linspace(0, 1, 5)
GREYS = np.arange(T) / 8
CLIP = np.broadcast_to(GREYS[:, None, None, None], (T, H, W, 3)).astype(np.float32)
COLOURS = np.rint(255 * matplotlib.colormaps["plasma"](np.linspace(0, 1, 256))[:, :3])


def panel(caption, scale, lowest=0):
    """Class a has `scale` times the map of class b; frame t is grey t / 8; deletion puts white in, insertion black."""
    maps = [
        PanelMap("RISE", "a", lowest + scale * MAP, np.full(T, 5.0), "mean probability"),
        PanelMap("RISE", "b", MAP / 1000),
        PanelMap("SIDU", "a", 10 * MAP[::2]),
    ]
    curves = [
        PanelCurve(method, measure, Curve(FRACTIONS, np.linspace(0.9, 0.1, 5), np.asarray(0.5)), ORDER)
        for method in ("RISE", "SIDU", "random")
        for measure in ("deletion", "insertion")
    ]
    baselines = {"deletion": np.ones(3), "insertion": np.zeros(3)}
    return Panel(caption, CLIP, maps, curves, {"a": 0.75, "b": 0.25}, "a", "b", baselines)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    scenes = [Scene("one", [panel("IR", 1), panel("TV", 2, 500)]), Scene("two", [panel("TV", 1)])]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(build_page(scenes, title="a report"))
    return path


RESET = """() => {
  const values = { method: "RISE", class: "a", scale: "steps", opacity: 60, frame: 0, measure: "deletion", step: 0 };
  for (const [name, value] of Object.entries({ ...values, fade: false })) {
    for (const control of document.querySelectorAll(`[data-is="${name}"]`)) {
      if (name === "fade") control.checked = value; else control.value = value;
      for (const kind of ["input", "change"]) control.dispatchEvent(new Event(kind, { bubbles: true }));
    }
  }
}"""


@pytest.fixture(scope="module")
def page(open_page, path):
    """The page that most tests share."""
    return open_page(path)


@pytest.fixture
def scene(page):
    """The first scene of the shared page, its controls as they were when it was opened."""
    page.evaluate(RESET)
    return page.locator(".scene").first


def part(scene, name):
    return scene.locator(f'[data-is="{name}"]')


def pixels(canvas):
    """Red, green and blue of a canvas, (H, W, 3)."""
    picture = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.split(",")[1]))).convert("RGB"))


def colours(values, low, high):
    return COLOURS[np.rint(255 * (values - low) / (high - low)).clip(0, 255).astype(int)]


def limits(scene):
    """Of the colour bar of every panel."""
    return [[float(part(scene, end).nth(i).inner_text()) for end in ("low", "high")] for i in range(2)]


@pytest.mark.parametrize(
    ("old", "new"), [("0.53", "0.43"), ('"auc":0.5', '"auc":0.7'), ("step by step", "step bz step")]
)
def test_a_damaged_page_says_so(open_page, tmp_path, old, new):
    """A bit in a table, in what the player shows, in the program: above all else on the page."""
    page = build_page([Scene("one", [panel("IR", 1)])], title="t", header="<p>0.53</p>", footer="<p>step by step</p>")
    assert page.count(old)
    (tmp_path / "page.html").write_text(page.replace(old, new, 1))
    shown = open_page(tmp_path / "page.html", wait="body > [role=alert]").locator("body > *").first
    assert shown.inner_text().startswith("This cannot be shown: the page is damaged, its text does not have its")


def test_plays_and_pauses(scene):
    part(scene, "speed").select_option("16")
    part(scene, "play").click()
    for frame in ("2", "5", "0"):  # it starts again after the last frame
        scene.page.wait_for_function(f"document.querySelector('[data-is=frame]').value == '{frame}'")
    assert part(scene, "play").inner_text() == "Pause"
    part(scene, "play").click()
    assert part(scene, "play").inner_text() == "Play"
    stopped = part(scene, "frame").input_value()
    scene.page.wait_for_timeout(200)
    assert part(scene, "frame").input_value() == stopped


def test_scrubs_and_steps(scene):
    part(scene, "frame").fill("3")
    for clip in part(scene, "clip").all():
        np.testing.assert_allclose(pixels(clip), 255 * GREYS[3], atol=3)
    part(scene, "forward").click()
    np.testing.assert_allclose(pixels(part(scene, "clip").first), 255 * GREYS[4], atol=3)
    part(scene, "back").click()
    part(scene, "back").click()
    assert part(scene, "frame").get_attribute("aria-valuetext") == "frame 2, of 0 to 5"
    assert part(scene, "frame-text").inner_text() == "2 (0–5)"
    part(scene, "frame").fill("5")
    part(scene, "forward").click()
    assert part(scene, "frame").input_value() == "5"


def test_the_keyboard_alone_plays_and_steps(open_page, path):
    """Tab leads past the contents to the scene; its keys work there, the arrows on buttons and Space on sliders too."""
    page = open_page(path)
    scene, focused = page.locator(".scene").first, page.locator(":focus")
    for _ in range(3):
        page.keyboard.press("Tab")
    assert focused.get_attribute("id") == "scene-1"
    assert (focused.get_attribute("role"), focused.get_attribute("aria-labelledby")) == ("region", "scene-1-name")

    def frame_after(key):
        page.keyboard.press(key)
        return part(scene, "frame").input_value()

    assert frame_after("ArrowRight") == "1"
    assert frame_after("ArrowRight") == "2"
    assert frame_after("ArrowLeft") == "1"
    page.keyboard.press("Space")
    assert part(scene, "play").inner_text() == "Pause"
    page.keyboard.press("Space")
    assert part(scene, "play").inner_text() == "Play"
    stopped = int(part(scene, "frame").input_value())
    page.keyboard.press("Tab")
    assert focused.get_attribute("data-is") == "back"
    assert frame_after("ArrowRight") == str(min(5, stopped + 1))
    page.keyboard.press("Space")  # a button's own use of it
    assert part(scene, "frame").input_value() == str(min(5, stopped + 1) - 1)
    for _ in range(3):
        page.keyboard.press("Tab")
    assert focused.get_attribute("data-is") == "frame"
    page.keyboard.press("Space")
    assert part(scene, "play").inner_text() == "Pause"


def test_maps_have_the_colours_of_their_scale(scene):
    """IR's map goes from 0 to high, TV's from 500 to 500 + 2 high, SIDU's from 0 to far above both."""
    part(scene, "opacity").fill("100")
    part(scene, "frame").fill("5")
    top, of_sidu = 500 + 2 * HIGH, 10 * np.quantile(MAP[::2], 0.995)
    scales = {
        "steps": [(0, 2 * HIGH), (500, top)],
        "limits": [(0, top)] * 2,
        "clip": [(0, of_sidu)] * 2,
        "map": [(0, HIGH), (500, top)],
    }
    options = part(scene, "scale").locator("option")
    assert part(scene, "scale").input_value() == "steps"
    assert options.all_inner_texts() == [
        "IR and TV: equal steps",
        "IR and TV: same limits",
        "RISE and SIDU of each clip: same limits",
        "each map its own limits",
    ]
    for scale, expected in scales.items():
        part(scene, "scale").select_option(scale)
        np.testing.assert_allclose(limits(scene), expected, rtol=0.01)
        for number, values in enumerate((MAP[5], 500 + 2 * MAP[5])):
            drawn = pixels(part(scene, "over").nth(number))
            np.testing.assert_allclose(drawn, colours(values, *expected[number]), atol=6)
    assert part(scene, "bar-title").first.inner_text() == "saliency, mean probability; its own limits"


def test_no_map_is_hidden_by_what_is_not_shown(scene):
    """Class b's maps are a thousandth of class a's: each class uses the colours as soon as it is shown."""
    for chosen in ("a", "b"):
        part(scene, "class").select_option(chosen)
        for number in range(2):
            used = int(re.search(r"\d+", part(scene, "used-text").nth(number).inner_text())[0])
            assert used >= 50
    np.testing.assert_allclose(limits(scene), [(0, HIGH / 1000)] * 2, rtol=0.01)
    assert "uses" not in part(scene, "status").inner_text()
    part(scene, "class").select_option("a")
    part(scene, "scale").select_option("clip")
    assert "IR uses 12 % of this scale" in part(scene, "status").inner_text()
    assert "RISE and SIDU" in part(scene, "bar-title").first.inner_text()


def test_switches_method_class_and_opacity(scene):
    over = part(scene, "over").nth(1)
    part(scene, "opacity").fill("100")
    part(scene, "scale").select_option("map")
    part(scene, "class").select_option("b")
    np.testing.assert_allclose(pixels(over), colours(MAP[0], 0, HIGH), atol=6)
    assert "explained class" in part(scene, "status").inner_text()
    part(scene, "method").select_option("SIDU")  # has class a alone, half as many slices as frames
    part(scene, "frame").fill("5")
    np.testing.assert_allclose(pixels(over), colours(10 * MAP[4], 0, 10 * np.quantile(MAP[::2], 0.995)), atol=6)
    assert part(scene, "over-text").nth(1).inner_text() == "SIDU, a"
    part(scene, "opacity").fill("0")
    np.testing.assert_allclose(pixels(over), 255 * GREYS[5], atol=3)


def test_faint_parts_fade_and_the_bar_shows_it(scene):
    """From the median up opacity is in proportion to saliency; an arrow says that voxels exceed the bar."""
    part(scene, "opacity").fill("100")
    part(scene, "fade").check()
    part(scene, "scale").select_option("map")
    np.testing.assert_allclose(limits(scene), [(MIDDLE, HIGH), (500 + 2 * MIDDLE, 500 + 2 * HIGH)], rtol=0.01)
    for frame in (0, 5):
        part(scene, "frame").fill(str(frame))
        alpha = np.clip((MAP[frame] - MIDDLE) / (HIGH - MIDDLE), 0, 1)[..., None]
        expected = alpha * colours(MAP[frame], MIDDLE, HIGH) + (1 - alpha) * 255 * GREYS[frame]
        np.testing.assert_allclose(pixels(part(scene, "over").first), expected, atol=8)
    alpha = np.linspace(0, 1, 256)[:, None]
    bar = pixels(part(scene, "bar").first)
    np.testing.assert_allclose(bar[0], alpha * COLOURS, atol=1)
    np.testing.assert_allclose(bar[1], alpha * COLOURS + (1 - alpha) * 255, atol=1)
    assert "and more" in part(scene, "bar").first.get_attribute("aria-label")


def test_the_cursor_shows_what_the_network_saw(scene):
    part(scene, "frame").fill("2")
    for measure, before, after, verb in (("deletion", GREYS[2], 1, "removed"), ("insertion", 0, GREYS[2], "shown")):
        part(scene, "measure").select_option(measure)
        for step in range(5):
            part(scene, "step").fill(str(step))
            expected = np.where(ORDER[2] <= step, after, before)[..., None]
            np.testing.assert_allclose(pixels(part(scene, "seen").first), np.tile(255 * expected, 3), atol=3)
            readout = f"{measure}: {25 * step} % {verb}, p(a) = {0.9 - 0.2 * step:.3f}"
            assert part(scene, "readout").first.inner_text() == readout
            assert part(scene, "step").get_attribute("aria-valuetext") == f"step {step} of 4, {25 * step} % {verb}"
    chart = part(scene, "deletion").first.locator("svg")
    hint = part(scene, "deletion-figure").first.locator(".idle-hint")
    assert hint.is_visible()
    box = chart.bounding_box()
    chart.click(position={"x": 0.95 * box["width"], "y": box["height"] / 2})
    assert part(scene, "measure").input_value() == "deletion"
    assert part(scene, "step").input_value() == "4"
    assert not hint.is_visible()


def test_charts_speak_and_show_band_and_floor(page):
    scene = page.locator(".scene").nth(1)
    scene.scroll_into_view_if_needed()
    page.wait_for_selector("#scene-2:not([aria-busy])")
    chart = part(scene, "profile").locator("svg")
    assert chart.get_attribute("aria-label").startswith("Mean of each frame, from ")
    heights = [float(pair.split(",")[1]) for pair in chart.locator(".band").get_attribute("points").split()]
    line = [float(pair.split(",")[1]) for pair in chart.locator(".line").get_attribute("points").split()]
    slope = (line[0] - line[5]) / (MAP[5] - MAP[0]).mean()
    np.testing.assert_allclose(line[0] - heights[0], 1.96 * 5 * slope, atol=0.2)
    text = part(scene, "profile-text").inner_text()
    assert f"mean of frame 0: {MAP[0].mean()}; " in text
    assert "± 9.8 from the mean over frames (95 %" in text
    deletion = part(scene, "deletion").locator("svg")
    assert "areas: RISE 0.500" in deletion.get_attribute("aria-label")
    assert part(scene, "floor").first.inner_text() == ", floor 0.100"
    assert deletion.locator(".line.reference").count() == 1
    assert part(scene, "numbers").locator("tr.chosen").inner_text().split() == ["RISE", "0.500", "0.500"]


def test_the_answer_is_marked(scene):
    assert part(scene, "answer").first.inner_text() == "✗ wrong: predicted a, true class b"
    assert part(scene, "guesses").first.locator("li").all_inner_texts() == [
        "a 0.750 · explained",
        "b 0.250 · true class",
    ]


def test_scenes_are_listed_and_decoded_when_they_come_near(open_page, path):
    page = open_page(path, size=(1280, 400))
    second = page.locator(".scene").nth(1)
    assert second.get_attribute("aria-busy") == "true"
    assert part(second, "loading").inner_text() == "Loading the clips…"
    page.get_by_role("navigation").get_by_text("two").click()
    part(second, "panels").locator("article").wait_for()
    assert second.get_attribute("aria-busy") is None
    assert part(second, "loading").count() == 0


@pytest.mark.parametrize("broken", ['"scenes":[', '"data":"eN'])
def test_what_cannot_be_decoded_is_said(open_page, path, tmp_path, broken):
    """The page's data cut off, and a map's bytes damaged."""
    damaged = tmp_path / "damaged.html"
    damaged.write_text(path.read_text().replace(broken, broken.replace("[", "").replace("eN", "AA")))
    page = open_page(damaged, wait='body > [role="alert"]')
    assert page.locator('[role="alert"]').first.inner_text().startswith("This cannot be shown: the page is damaged")
    if "data" in broken:  # the rest is shown, the map's scene is not
        page.locator('main [role="alert"]').first.wait_for()


CONTRAST = """control => {
  const luminance = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
    .map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const [a, b] = [getComputedStyle(control).borderTopColor,
    getComputedStyle(control.closest(".controls")).backgroundColor].map(luminance);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_controls_have_names_and_borders(page, scene, scheme):
    page.emulate_media(color_scheme=scheme)
    for control in scene.locator("button, input, select").all():
        assert control.evaluate("c => (c.labels[0] ?? c).innerText + (c.ariaLabel ?? '')").strip()
        if control.evaluate("c => c.tagName") != "INPUT":
            assert control.evaluate(CONTRAST) >= 3
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.search(r"\d+", colour)[0]) < 128) == (scheme == "dark")


LEGIBLE = """() => ["profile", "deletion", "insertion"].every((name) => {
  const svg = document.querySelector(`[data-is="${name}"] svg`);
  if (!svg) return false;
  const share = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  return share * parseFloat(getComputedStyle(svg.querySelector("text")).fontSize) >= 11;
})"""  # text of at least 11 pixels in all charts, which are drawn anew when the window changes


def test_a_phone_shows_both_maps_first_and_folds_the_rest(open_page, path):
    page = open_page(path, size=(360, 740))
    scene = page.locator(".scene").first
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    left, right = (part(scene, "over").nth(i).bounding_box() for i in range(2))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    assert not part(scene, "clip").first.is_visible()
    for number in range(2):
        part(scene, "rest-text").nth(number).click()
    page.wait_for_function(LEGIBLE)
    chart = part(scene, "deletion").nth(1)
    chart.scroll_into_view_if_needed()
    assert part(scene, "clip").nth(1).is_visible()
    assert 0 <= part(scene, "play").bounding_box()["y"] < 60, "the transport bar stays on top"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("width", [800, 1280])
def test_text_in_charts_is_legible_and_pictures_are_large(page, scene, width):
    page.set_viewport_size({"width": width, "height": 720})
    page.wait_for_function(LEGIBLE)
    over, clip = (part(scene, name).first.bounding_box()["width"] for name in ("over", "clip"))
    assert over >= 1.9 * clip


def test_a_notebook_shows_the_player(open_page, tmp_path):
    shown = jaxsal.view(CLIP, {"RISE": MAP})
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><html data-ready><body>{shown._repr_html_()}</body></html>")
    page = open_page(path)
    frame = page.frame_locator("iframe")
    frame.locator('[data-is="play"]').wait_for()
    frame.locator('[data-is="frame"]').fill("4")
    assert frame.locator('[data-is="frame-text"]').inner_text() == "4 (0–5)"
    assert not frame.locator('[data-is="curve-controls"]').is_visible()
    fits = "f => Math.abs(f.clientHeight - f.contentDocument.body.scrollHeight) < 20"
    page.wait_for_function(f"({fits})(document.querySelector('iframe'))")


def test_what_is_undecided_is_hatched(open_page, tmp_path):
    undecided = np.zeros((T // 2, H, W), bool)
    undecided[:, :, W // 2 :] = True
    hatched = PanelMap("RISE", "a", MAP[::2], undecided=undecided)
    path = tmp_path / "hatched.html"
    path.write_text(build_page([Scene("one", [Panel("IR", CLIP, [hatched], target="a")])], title="hatched"))
    scene = open_page(path).locator(".scene")
    white = (pixels(part(scene, "over")) >= 191).all(axis=-1)
    np.testing.assert_array_equal(white, undecided[0] & (np.add.outer(np.arange(H), np.arange(W)) % 4 == 0))
    assert part(scene, "over-text").inner_text().startswith("RISE, a, hatched: undecided")


def test_maps_that_are_compared_share_a_scale_in_view(open_page, tmp_path):
    """Two networks on one clip: the second's map is three times the first's; Grad-CAM has another unit."""
    maps = {"RISE, trained on IR": MAP, "RISE, trained on TV": 100 + 3 * MAP, "Grad-CAM": 1000 * MAP}
    jaxsal.view(CLIP, maps, scale="limits").save(tmp_path / "view.html")
    scene = open_page(tmp_path / "view.html").locator(".scene")
    part(scene, "fade").uncheck()
    top = 100 + 3 * HIGH
    scales = dict(limits=[(0, top)] * 2, steps=[(0, 3 * HIGH), (100, top)], map=[(0, HIGH), (100, top)])
    assert part(scene, "scale").input_value() == "limits"
    for scale, expected in scales.items():
        part(scene, "method").select_option("RISE, trained on IR")
        part(scene, "scale").select_option(scale)
        for name, ends in zip(maps, [*expected, (0, 1000 * HIGH)], strict=True):
            part(scene, "method").select_option(name)
            found = [float(part(scene, end).inner_text()) for end in ("low", "high")]
            np.testing.assert_allclose(found, ends, rtol=0.01)
