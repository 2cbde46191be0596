"""Makes smoke.gif out of a run of `jaxsal explain` on both recordings: the maps on the recordings' own frames.

python data/m3svd/picture.py runs/smoke

Writes smoke.gif beside itself, in a few seconds; README.md has the command that makes the run.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from jaxsal.drawing.colours import map_bar
from jaxsal.drawing.pictures import save_animation
from jaxsal.drawing.recording import Ground, ground_of
from jaxsal.evaluation.views import map_unit
from jaxsal.report.run import read_run

SPECTRA = {"TV": "visible", "IR": "infrared"}


def smaller(ground: Ground, width: int) -> Ground:
    """The same frames at another width, and what the network saw of them."""
    share = width / ground.size[1]
    size = width, round(share * ground.size[0])
    frames = [np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX)) for frame in ground.frames]
    return ground._replace(frames=np.stack(frames), box=type(ground.box)(*(share * place for place in ground.box)))


def main() -> None:
    """Reads the run and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("--method", default="Grad-CAM", help="whose maps are drawn")
    parser.add_argument("--width", type=int, default=400, help="of a frame, in pixels")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "smoke.gif", help="the picture")
    arguments = parser.parse_args()
    run = read_run(arguments.run)
    rows, bars, ground = {}, {}, None
    for e in sorted(run.explanations, key=lambda e: list(SPECTRA).index(e.spectrum)):
        ground = smaller(ground_of(e.clip, run.excerpts[e.name]), arguments.width)
        name = f"{SPECTRA[e.spectrum]}: {e.target_name} {e.probabilities[e.target]:.2f}"
        bars[name] = map_bar(e.maps[arguments.method], map_unit(arguments.method))
        rows[name] = ground.outlined(ground.overlay(e.maps[arguments.method], bars[name]))
    assert ground is not None
    shown = dict(bars=bars, labels=ground.labels, title=f"I3D of Kinetics-400, {arguments.method}")
    save_animation(arguments.output, rows, fps=ground.fps or 8, **shown)


if __name__ == "__main__":
    main()
