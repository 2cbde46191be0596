"""Explanations to report, and a real browser: headless Chromium, offline, that must not complain."""

import shutil

import pytest

from conftest import shape_checks_off
from pages import explanations

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.fixture(scope="session")
def found():
    """Explanations of two scenes in both spectra."""
    with shape_checks_off():
        return explanations()


@pytest.fixture(scope="module")
def browser():
    """Skips what needs a browser where there is none: then nothing has tested the player."""
    if BROWSER is None:
        pytest.skip("no chromium or chrome on the PATH: the player is NOT tested")
    sync_playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").sync_playwright
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def complaints():
    """What pages have said on the console or asked of a network."""
    return []


@pytest.fixture(scope="module")
def open_page(browser, complaints):
    """Opens a page from disk, in a window of 1280 x 720 pixels or another size."""

    def opened(path, *, wait="html[data-ready]", size=(1280, 720)):
        page = browser.new_page(viewport=dict(zip(("width", "height"), size, strict=True)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        page.wait_for_selector(wait)
        assert ("alert" in wait) == (page.locator("body > [role=alert]").count() > 0)
        return page

    return opened


@pytest.fixture(autouse=True)
def no_complaints(request):
    """A test fails if a page of it complained."""
    yield
    if "open_page" in request.fixturenames:
        complaints = request.getfixturevalue("complaints")
        said = complaints.copy()
        complaints.clear()
        assert not said
