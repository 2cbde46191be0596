"""The strip of a long recording: a window is picked on its timeline, and the page shows that window's player."""

import json
import re

import numpy as np
import pytest

from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.report.page import build_page
from jaxsal.report.panels import Panel, PanelMap
from jaxsal.report.scenes import Scene
from jaxsal.report.strip import fill_strip

CLIP = np.zeros((2, 8, 8, 3), np.float32)
STARTS = (0, 2, 4, 6)
VALUES = dict(
    axis="seconds",
    places=[float(second) for second in range(10)],
    windows=[
        dict(start=10 * s, stop=10 * s + 40, place=f"{10 * s:06}-{10 * s + 40:06}", ends=[float(s), s + 4.0])
        for s in STARTS
    ],
    tracks={
        "TV": dict(
            probabilities={"<b>walk</b>": [0.1 * t for t in range(10)], "run": [None, None, *[0.5] * 8]},
            energies={"RISE": [float(t) for t in range(10)]},
        )
    },
)


def explanation(number):
    place, share = VALUES["windows"][number]["place"], 0.2 * number
    options = ExplainOptions(method=("rise",))
    classes = ("<b>walk</b>", "run")
    return Explanation(
        f"a-long-one-{place}-TV",
        "TV",
        -1,
        0,
        None,
        np.array([share, 1 - share]),
        {},
        {},
        {},
        options,
        {},
        classes=classes,
    )


@pytest.fixture(scope="module")
def strip():
    return fill_strip(VALUES, [explanation(number) for number in range(4)], shown=[0, 3])


def test_a_window_has_its_answer_and_the_number_of_its_player(strip):
    (data,) = re.findall(r'<script id="strip-data" type="application/json">(.*)</script>', strip)
    windows = json.loads(data)["windows"]
    assert [window["scene"] for window in windows] == [1, None, None, 2]
    assert windows[1]["found"] == [
        dict(spectrum="TV", guesses=[["run", 0.8], ["<b>walk</b>", 0.2]], target="<b>walk</b>")
    ]
    assert "<b>" not in data


@pytest.mark.browser
def test_a_click_picks_the_window(strip, open_page, tmp_path):
    panel = Panel("TV", CLIP, [PanelMap("RISE", "run", np.ones((2, 8, 8), np.float32))])
    (tmp_path / "page.html").write_text(
        build_page([Scene("first", [panel]), Scene("last", [panel])], title="t", header=strip)
    )
    page = open_page(tmp_path / "page.html")
    text, plots = page.locator("[data-strip=text]"), page.locator("[data-strip=plots]")
    shown = lambda: page.locator(".scene:visible h2").all_inner_texts()  # noqa: E731
    assert shown() == ["first"]
    assert page.locator("nav").count() == 0

    for seconds, number, scenes in [(8.5, 4, ["last"]), (3.6, 2, []), (0.5, 1, ["first"])]:
        place = page.locator(".strip svg.plot").first
        x = place.evaluate("(svg, s) => svg.parentNode.to.x(s)", seconds)
        place.click(position=dict(x=x, y=60))
        assert text.inner_text().startswith(f"Window {number} of 4, frames {20 * number - 20} to {20 * number + 19}, ")
        assert shown() == scenes
        left = place.locator("rect.window").evaluate("rect => Number(rect.getAttribute('x'))")
        assert left == pytest.approx(place.evaluate("(svg, s) => svg.parentNode.to.x(s)", STARTS[number - 1]))
    assert "maps of" in text.inner_text()
    plots.press("End")
    assert shown() == ["last"]
    assert plots.get_attribute("aria-valuenow") == "4"
    page.locator("[data-strip=back]").click()
    assert "not on this page" in text.inner_text()
    assert page.locator(".strip .legend").first.inner_text().split("\n")[0].strip().startswith("<b>walk</b>")
