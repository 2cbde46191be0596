"""Makes this folder's pictures out of a run of `jaxsal demo`: a scene in the player, its maps, curves and the table.

python data/samples/pictures.py runs/demo

Needs playwright and a chromium on the PATH; writes player.gif, visible.png, infrared.png, curves.png and table.png
beside itself, in half a minute.
"""

import argparse
import io
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from jaxsal.evaluation.cells import file_name
from jaxsal.evaluation.explanation import Explanation
from jaxsal.report.folder import draw_overlays
from jaxsal.report.page import build_page
from jaxsal.report.run import read_run
from jaxsal.report.scenes import group_by_scene, scenes_of

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
_CLOSE_UP = """
.scene > h2, .controls .fold, .status, .rest .numbers, .rest figure.full, .bar { display: none !important; }
.scene { border: 0; margin: 0; padding: 0.6rem; }
"""


def choose_scene(explanations: Sequence[Explanation], target: int) -> list[Explanation]:
    """The scene, of both spectra where there is one, whose visible clip is most surely and rightly of a class.

    Sure is what the untouched clip says and the fully replaced one does not.

    Raises:
      ValueError: If no visible clip's maps are of the class.
    """

    def worth(e: Explanation) -> tuple[bool, float]:
        removed, _ = next(iter(e.curves.values()))
        return e.label == target, float(e.probabilities[target] - removed.floor)

    found = [e for e in explanations if e.spectrum == "TV" and e.target == target]
    if not found:
        raise ValueError(f"`run` must hold a visible clip that is explained as class {target}; got none.")
    best = max(found, key=worth)
    (scene,) = (scene for scene in group_by_scene(explanations) if best in scene)
    return scene


def film(page: str, path: Path, *, width: int = 960, colours: str = "light", fps: float = 6) -> None:
    """Saves the first scene of a player's page as a GIF: its frames play while deletion goes from step to step.

    Args:
      page: The page, as text.
      path: Of the GIF.
      width: Of the page, in pixels.
      colours: Of the page, "light" or "dark".
      fps: Frames per second.
    """
    from playwright.sync_api import sync_playwright

    pictures: list[Image.Image] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        (Path(folder) / "page.html").write_text(page, encoding="utf-8")
        browser = next(filter(None, map(shutil.which, _CHROMIUM)), None)
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        shown = opened.new_page(viewport={"width": width, "height": 900}, color_scheme=colours)
        shown.goto((Path(folder) / "page.html").as_uri())
        shown.wait_for_selector("html[data-ready]")
        shown.add_style_tag(content=_CLOSE_UP)
        scene = shown.locator(".scene").first
        scene.locator('[data-is="method"]').select_option("RISE")
        frame, step = (scene.locator(f'[data-is="{name}"]') for name in ("frame", "step"))
        last_frame, last_step = (int(slider.get_attribute("max")) for slider in (frame, step))
        for number in range(last_frame + 1):
            frame.fill(str(number))
            step.evaluate(
                "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
                round(number * last_step / last_frame),
            )
            shown.evaluate("document.activeElement.blur()")
            pictures.append(Image.open(io.BytesIO(scene.screenshot())).convert("RGB"))
        opened.close()
    palette = pictures[len(pictures) // 2].quantize(160, dither=Image.Dither.NONE)
    first, *others = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    first.save(path, save_all=True, append_images=others, duration=round(1000 / fps), loop=0, optimize=True)


def main() -> None:
    """Reads the run and writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("--class-name", default="lower_arms", help="of the clip that is shown")
    parser.add_argument("--colours", default="light", choices=("light", "dark"), help="of the player")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="where the pictures go")
    arguments = parser.parse_args()
    run = read_run(arguments.run)
    scene = choose_scene(run.explanations, run.classes.index(arguments.class_name))
    with tempfile.TemporaryDirectory() as folder:
        draw_overlays(Path(folder), scene, run.classes)
        for explanation in scene:
            (strip,) = Path(folder).glob(f"{file_name(explanation.name)}-as-*.png")
            name = "visible" if explanation.spectrum == "TV" else "infrared"
            shutil.copy(strip, arguments.output / f"{name}.png")
    for name, picture in (("curves", "curves-TV.png"), ("table", "table.png")):
        shutil.copy(arguments.run / picture, arguments.output / f"{name}.png")
    page = build_page(scenes_of(scene, run.classes, num_scenes=1), title="jaxsal")
    film(page, arguments.output / "player.gif", colours=arguments.colours)


if __name__ == "__main__":
    main()
