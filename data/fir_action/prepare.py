"""Brings fir-action into the layout of `jaxsal.datasets.paired`; README.md says what SOURCE holds.

python data/fir_action/prepare.py SOURCE DEST [--paired-only] [--min-paired 5]
"""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Annotated

import tyro

VALUE_RANGE = (2500, 3300)  # 25 to 33 degrees Celsius, in the hundredths of a degree of the files
TEST_RECORDINGS = ("20200626_154313_mlx90640_01_light_none",)
COLUMNS = ("recording", "label", "split", "ir_start", "ir_end", "tv_start", "tv_end")
Positional = tyro.conf.Positional


def prepare(
    source: Annotated[Path, Positional],
    dest: Annotated[Path, Positional],
    /,
    test_recordings: tuple[str, ...] = TEST_RECORDINGS,
    paired_only: bool = False,
    min_paired: int = 0,
    all_labels: bool = False,
) -> None:
    """Writes DEST/{IR,TV}, segments.csv and spectra.json, and prints how many segments of a class there are.

    Args:
      source: Folder with segments.csv, ir/*.npz and visible/*.mp4.
      dest: Folder to write; must not exist.
      test_recordings: Recordings held out for the test; all others train.
      paired_only: Leave the recordings without infrared out.
      min_paired: Drop labels with fewer segments in both spectra.
      all_labels: Keep labels that are in one split only, as when recordings are left out one after another.
    """
    if dest.exists():
        raise ValueError(f"`dest` must not exist yet; got {dest}.")
    rows = read_segments(source, test_recordings)
    if paired_only:
        rows = [row for row in rows if row["paired"]]
    rows = [row for row in rows if row["label"] in kept_labels(rows, min_paired, all_labels)]
    for folder, kind in (("IR", "ir"), ("TV", "visible")):
        (dest / folder).mkdir(parents=True)
        for recording in sorted({row["recording"] for row in rows}):
            for path in (source / kind).glob(f"{recording}.*"):
                shutil.copyfile(path, dest / folder / path.name)
    with (dest / "segments.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (dest / "spectra.json").write_text(json.dumps({"IR": {"value_range": VALUE_RANGE}}) + "\n")
    report(rows)


def read_segments(source: Path, test_recordings: tuple[str, ...]) -> list[dict]:
    """The source's segments with their split and the names of the paired layout's columns."""
    with (source / "segments.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    recordings = {row["recording"] for row in rows}
    unknown = sorted(set(test_recordings) - recordings)
    if unknown:
        raise ValueError(f"`test_recordings` must be out of {sorted(recordings)}; got {unknown[0]!r}.")
    for row in rows:
        row["split"] = "test" if row["recording"] in test_recordings else "train"
        row["paired"] = row["kind"] == "paired"
        row["tv_start"], row["tv_end"] = row["visible_start"], row["visible_end"]
        if not row["paired"]:
            row["ir_start"] = row["ir_end"] = ""
    return rows


def kept_labels(rows: list[dict], min_paired: int, all_labels: bool) -> set[str]:
    """Labels with enough segments in both spectra that are trained on and tested, or all such labels."""
    num_paired = Counter(row["label"] for row in rows if row["paired"])
    splits = [{row["label"] for row in rows if row["split"] == split} for split in ("train", "test")]
    both = set.union(*splits) if all_labels else set.intersection(*splits)
    return {label for label in both if num_paired[label] >= min_paired}


def report(rows: list[dict]) -> None:
    """Prints a Markdown table of the segments per class, split and spectrum."""
    cells = [("train", "IR"), ("train", "TV"), ("test", "IR"), ("test", "TV")]
    counts = Counter(
        (row["label"], row["split"], spectrum)
        for row in rows
        for spectrum in (("IR", "TV") if row["paired"] else ("TV",))
    )
    print("| class |", " | ".join(f"{split} {spectrum}" for split, spectrum in cells), "|")
    print("|---|---|---|---|---|")
    for label in sorted({row["label"] for row in rows}):
        print("|", " | ".join([label, *(str(counts[label, *cell]) for cell in cells)]), "|")


if __name__ == "__main__":
    tyro.cli(prepare)
