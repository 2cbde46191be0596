"""Whether the shares of spectra follow what is done to embedded scenes: dark clips, warm rooms, standing frames.

    python experiments/fused/shares.py runs/fused --figure experiments/fused/shares.png

Held-out actors, one scene each; the class that is explained is the true one. The table goes to standard output; the
figure, of the first scene, has three by three cells.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from jaxsal import SpectrumShares, spectrum_shares
from jaxsal.datasets.catalog import SYNTHETIC, open_clips
from jaxsal.evaluation.explain import select_cases
from jaxsal.metrics.intervals import mean_interval
from jaxsal.recipes import BaselineName
from jaxsal.training.checkpoint import open_checkpoint

Scene = Mapping[str, Float[np.ndarray, "T H W _"]]
Actor = Mapping[str, Bool[np.ndarray, "T H W"]]
BASELINES: tuple[BaselineName, ...] = ("mean", "time_mean")
DARK = 0.05


def dark_visible(scene: Scene, actor: Actor) -> Scene:
    """The lights are out: a twentieth of the visible light is left."""
    return dict(scene) | {"TV": scene["TV"] * np.float32(DARK)}


def warm_room(scene: Scene, actor: Actor) -> Scene:
    """The room is as warm as the actor: its infrared brightness is shifted to the mean of his."""
    infrared, own = scene["IR"], actor["IR"][..., None]
    shift = infrared[own].mean() - infrared[~own].mean()
    return dict(scene) | {"IR": np.where(own, infrared, np.clip(infrared + shift, 0, 1)).astype(np.float32)}


def standing(name: str) -> Callable[[Scene, Actor], Scene]:
    """One spectrum shows its middle frame all the time."""
    return lambda scene, actor: dict(scene) | {name: np.repeat(scene[name][8:9], len(scene[name]), axis=0)}


CHANGES: dict[str, Callable[[Scene, Actor], Scene]] = {
    "as it is": lambda scene, actor: scene,
    "dark visible clip": dark_visible,
    "room as warm as the actor": warm_room,
    "infrared stands still": standing("IR"),
    "visible stands still": standing("TV"),
    "both stand still": lambda scene, actor: standing("IR")(standing("TV")(scene, actor), actor),
}


def main(run: Path, figure: Path | None = None, num_scenes: int = 16) -> None:
    """Prints a line for every change and baseline: mean worth of each part, with the 95 % interval over actors."""
    checkpoint = open_checkpoint(run)
    spec, classifier = checkpoint.spec, checkpoint.classifier
    clip_set = open_clips(SYNTHETIC, height=spec.size, num_frames=spec.num_frames, seed=0)
    cases = select_cases(spec, clip_set.select(split="test"), num_scenes)
    scenes = [(case.load(), case.load_mask() if case.load_mask else {}, case.label) for case in cases]
    if figure is not None:
        scene, _, label = scenes[0]
        shares = spectrum_shares(classifier, scene, label, grid_shape=(4, 3, 3), num_masks=1500)
        shares.plot(scene, title=f"{spec.classes[label]}: {shares.text}").savefig(figure, dpi=80)
    print("| scenes | baseline | score | infrared | visible | interaction |\n|---|---|--:|--:|--:|--:|")
    for baseline in BASELINES:
        for name, change in CHANGES.items():
            split = [
                spectrum_shares(classifier, change(scene, actor), label, grid_shape=(1, 1, 1), baseline=baseline)
                for scene, actor, label in scenes
            ]
            print(f"| {name} | {baseline} | {' | '.join(map(with_interval, numbers(split)))} |", flush=True)


def numbers(split: list[SpectrumShares]) -> Float[np.ndarray, "4 n"]:
    """The score of the whole scene and the three parts, scene by scene."""
    return np.array([(one.worths["both"], one.infrared, one.visible, one.interaction) for one in split]).T


def with_interval(values: Float[np.ndarray, " n"]) -> str:
    """The mean and half the width of its interval."""
    low, high = mean_interval(values) or (0.0, 0.0)
    return f"{values.mean():.2f} ± {(high - low) / 2:.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a network of `jaxsal train --spectra FUSED`")
    parser.add_argument("--figure", type=Path, help="picture of the first scene to write")
    given = parser.parse_args()
    main(given.run, given.figure)
