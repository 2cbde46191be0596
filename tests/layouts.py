"""Tiny copies of the layouts that sets come in."""

import numpy as np
from PIL import Image

import runs


def study_folder(root, num_clips=4):
    """The study's layout: moving bars in both spectra, half of the clips to train on and half to test."""
    lines = {"train": [], "test": []}
    for number in range(num_clips):
        label = number % 2
        for spectrum in ("IR", "TV"):
            folder = root / spectrum / f"clip{number}"
            folder.mkdir(parents=True)
            for t, frame in enumerate(runs.moving_bar(label, number, spectrum == "IR")):
                Image.fromarray(frame[..., 0] if spectrum == "IR" else frame).save(folder / f"{t:04d}.png")
        lines["train" if number < num_clips // 2 else "test"].append(f"clip{number} {runs.CLASSES[label]}")
    for split, listed in lines.items():
        (root / f"{split}.txt").write_text("\n".join(listed) + "\n")
    return root


def recordings_folder(root):
    """The layout of one's own recordings: two in both spectra and a third in the visible one, of another size."""
    for spectrum in ("IR", "TV"):
        (root / spectrum).mkdir(parents=True)
    for number in range(2):
        np.save(root / "IR" / f"r{number}.npy", runs.moving_bar(number, number, True))
        np.save(root / "TV" / f"r{number}.npy", runs.moving_bar(number, number, False))
    np.save(root / "TV" / "r2.npy", runs.moving_bar(1, 2, False)[:, :15])
    rows = ["recording,label,split,ir_start,ir_end,tv_start,tv_end"]
    rows += ["r0,down,train,,,,", "r1,up,train,1,6,0,5", "r2,up,train,,,,"]
    (root / "segments.csv").write_text("\n".join(rows) + "\n")
    return root
