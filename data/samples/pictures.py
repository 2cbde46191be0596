"""Makes this folder's pictures out of a run of `jaxsal demo`: a clip with its maps, and its scene in the player.

python data/samples/pictures.py runs/demo

Needs playwright and a chromium on the PATH; writes raise_arms.png and player.png beside itself, some seconds.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jaxsal.evaluation.cells import file_name
from jaxsal.evaluation.explanation import Explanation
from jaxsal.report.folder import draw_overlays
from jaxsal.report.page import build_page
from jaxsal.report.panels import group_by_scene, scenes_of
from jaxsal.report.run import read_run

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")


def choose_scene(explanations: Sequence[Explanation], target: int) -> list[Explanation]:
    """The scene, of both spectra where there is one, whose visible clip is most surely and rightly of a class.

    Raises:
      ValueError: If no visible clip's maps are of the class.
    """

    def worth(e: Explanation) -> tuple[bool, float]:
        return e.label == target, float(e.probabilities[target])

    found = [e for e in explanations if e.spectrum == "TV" and e.target == target]
    if not found:
        raise ValueError(f"`run` must hold a visible clip that is explained as class {target}; got none.")
    best = max(found, key=worth)
    (scene,) = (scene for scene in group_by_scene(explanations) if best in scene)
    return scene


def photograph(page: str, path: Path, *, width: int = 1280, frame: int = 7, step: int = 4) -> None:
    """Saves the first scene of a player's page as a picture, with RISE's map, at a frame and a step of the curves."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        (Path(folder) / "page.html").write_text(page, encoding="utf-8")
        browser = next(filter(None, map(shutil.which, _CHROMIUM)), None)
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        shown = opened.new_page(viewport={"width": width, "height": 1000})
        shown.goto((Path(folder) / "page.html").as_uri())
        shown.wait_for_selector("html[data-ready]")
        scene = shown.locator(".scene").first
        scene.locator('[data-is="method"]').select_option("RISE")
        scene.locator('[data-is="frame"]').fill(str(frame))
        scene.locator('[data-is="step"]').fill(str(step))
        shown.evaluate("document.activeElement.blur()")
        scene.screenshot(path=path)
        opened.close()


def main() -> None:
    """Reads the run and writes both pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("--class-name", default="raise_arms", help="of the clip that is shown")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="where the pictures go")
    arguments = parser.parse_args()
    run = read_run(arguments.run)
    scene = choose_scene(run.explanations, run.classes.index(arguments.class_name))
    stem = arguments.class_name
    with tempfile.TemporaryDirectory() as folder:
        draw_overlays(Path(folder), scene, run.classes)
        visible = next(e for e in scene if e.spectrum == "TV")
        (strip,) = Path(folder).glob(f"{file_name(visible.name)}-as-*.png")
        shutil.copy(strip, arguments.output / f"{stem}.png")
    page = build_page(scenes_of(scene, run.classes, num_scenes=1), title="jaxsal")
    photograph(page, arguments.output / "player.png")


if __name__ == "__main__":
    main()
