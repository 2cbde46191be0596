"""Brings the Weizmann actions into the layout of `jaxsal.datasets.paired`; README.md says what SOURCE holds.

python data/weizmann/prepare.py SOURCE DEST
"""

import csv
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from PIL import Image

TEST_ACTORS = ("actor04", "actor05")
COLUMNS = ("recording", "label", "split", "tv_start", "tv_end")
Positional = tyro.conf.Positional


def prepare(
    source: Annotated[Path, Positional],
    dest: Annotated[Path, Positional],
    /,
    test_actors: tuple[str, ...] = TEST_ACTORS,
) -> None:
    """Writes DEST/TV and segments.csv, and prints how many clips of a class there are.

    Args:
      source: Folder with clips.csv and the strips it names.
      dest: Folder to write; must not exist.
      test_actors: Actors held out for the test; all others train.
    """
    if dest.exists():
        raise ValueError(f"`dest` must not exist yet; got {dest}.")
    with (source / "clips.csv").open(newline="") as file:
        clips = list(csv.DictReader(file))
    actors = {clip["actor"] for clip in clips}
    unknown = sorted(set(test_actors) - actors)
    if unknown:
        raise ValueError(f"`test_actors` must be out of {sorted(actors)}; got {unknown[0]!r}.")
    (dest / "TV").mkdir(parents=True)
    rows = []
    for clip in clips:
        frames = split_strip(source / clip["file"], int(clip["frames"]))
        recording = Path(clip["file"]).stem
        np.save(dest / "TV" / f"{recording}.npy", frames)
        split = "test" if clip["actor"] in test_actors else "train"
        rows.append((recording, clip["action"], split, 0, len(frames)))
    with (dest / "segments.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *rows])
    counts = Counter((label, split) for _, label, split, *_ in rows)
    for (label, split), count in sorted(counts.items()):
        print(f"{label}: {count} {split} clips")


def split_strip(path: Path, num_frames: int) -> np.ndarray:
    """Cuts a strip, frames left to right, into (L, H, W, 3) uint8 frames."""
    with Image.open(path) as image:
        strip = np.asarray(image.convert("RGB"))
    if strip.shape[1] % num_frames:
        raise ValueError(f"{path} must be {num_frames} frames wide; got {strip.shape[1]} pixels.")
    return np.stack(np.split(strip, num_frames, axis=1))


if __name__ == "__main__":
    tyro.cli(prepare)
