"""A real browser for the tests: headless Chromium, offline, that must not complain, for the player and its pages."""

import shutil

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


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


@pytest.fixture
def open_page(browser):
    """Opens a page from disk, offline; at the end nothing may have been said on the console or asked of a network."""
    complaints, contexts = [], []

    def opened(path, *, wait="html[data-ready]", second=False, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        page.wait_for_selector(wait)
        if second:
            page.locator(".scene").nth(1).scroll_into_view_if_needed()
            page.wait_for_selector("#scene-2:not([aria-busy])")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints
