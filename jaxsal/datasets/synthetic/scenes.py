"""The embedded action set: eight actions by 48 actors before two cameras, in infrared and in visible light.

It stands in for the Multispectral Action Dataset (Hilsenbeck et al., 2016): as many classes, actors and views, the
same shapes of frames (IR 640x480, TV 960x540), drawn instead of recorded. Three things hold by construction:

- A scene is the same in both spectra, at every scale: same moment, same pose, same projection; TV sees wider.
- Room, clothes and distractors depend on the actor and the take, never on the action: they do not tell it.
- The actions come in pairs that are each other's time reversal, frame by frame, and a clip begins anywhere in its
  action: the order of frames alone tells a pair apart. `jaxsal data probe` prints what a linear classifier learns
  without it.
- The actor is anywhere in the picture, and his clothes are darker or brighter, warmer or cooler than the room.
"""

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from jaxsal.core.checks import check_choice, check_positive, check_seed
from jaxsal.core.kinds import check_kinds
from jaxsal.datasets.records import SPECTRA, ClipRecord, ClipSet
from jaxsal.datasets.synthetic.actions import ACTION_PAIRS, ACTIONS, perform
from jaxsal.datasets.synthetic.figures import make_actor, make_performance
from jaxsal.datasets.synthetic.rendering import (
    COLDEST,
    HOTTEST,
    Camera,
    Capsules,
    draw,
    draw_shadow,
    frame_width,
    make_camera,
    outline,
    silhouette,
)
from jaxsal.datasets.synthetic.rooms import Room, backdrop, make_room, moving_distractor

__all__ = ["ACTIONS", "ACTION_PAIRS", "Scene", "actor_mask", "render_clip", "render_scene", "synthetic_actions"]

CAMERAS = (
    partial(make_camera, azimuth=-36.0, distance=4.6, elevation=1.9, extent=3.0),
    partial(make_camera, azimuth=30.0, distance=5.2, elevation=1.3, extent=3.0),
)
NUM_ACTORS = 48
TRAIN_ACTORS = range(32)
NOISE = {"IR": 0.012, "TV": 0.01}  # standard deviation, of the range from black to white
COLUMN_NOISE = 0.008  # of the infrared sensor, the same in all of its frames
DRAWN_TOGETHER = 16  # frames, for speed; more take more memory
_ACTOR, _ROOM, _PERFORMANCE, _NOISE, _SENSOR = range(5)  # the streams of random numbers


class Scene(NamedTuple):
    """One scene in both spectra, with the pixels of its actor; L frames of 640x480 and 960x540 by default."""

    infrared: UInt8[np.ndarray, "L H W 3"]
    visible: UInt8[np.ndarray, "L H2 W2 3"]
    infrared_mask: Bool[np.ndarray, "L H W"]
    visible_mask: Bool[np.ndarray, "L H2 W2"]


class _Stage(NamedTuple):
    camera: Camera
    room: Room
    distractor: Capsules
    figure: Capsules


def render_scene(
    action: str,
    actor: int,
    camera: int,
    take: int = 0,
    *,
    seed: int = 0,
    num_frames: int = 32,
    infrared_height: int = 480,
    visible_height: int = 540,
) -> Scene:
    """One scene in both spectra, with its actor's masks.

    Args:
      action: One of `ACTIONS`.
      actor: 0 to 47; 32 to 47 are held out for testing.
      camera: 0 or 1.
      take: Repetition, from 0; another room and another performance.
      seed: Of the whole set: other actors, rooms and performances.
      num_frames: L; one cycle of the action spans the clip, whatever its length.
      infrared_height: Pixels; the width is 4/3 of it.
      visible_height: Pixels; the width is 16/9 of it.

    Raises:
      ValueError: If the action is unknown, or a number out of its range.
    """
    scene = (action, actor, camera, take)
    infrared: dict[str, Any] = dict(seed=seed, num_frames=num_frames, height=infrared_height)
    visible: dict[str, Any] = dict(seed=seed, num_frames=num_frames, height=visible_height)
    return Scene(
        render_clip(*scene, "IR", **infrared),
        render_clip(*scene, "TV", **visible),
        actor_mask(*scene, "IR", **infrared),
        actor_mask(*scene, "TV", **visible),
    )


def render_clip(
    action: str, actor: int, camera: int, take: int, spectrum: str, *, seed: int, num_frames: int, height: int
) -> UInt8[np.ndarray, "L H W 3"]:
    """The frames of one scene in one spectrum; arguments as of `render_scene`.

    Args:
      action: One of `ACTIONS`.
      actor: 0 to 47.
      camera: 0 or 1.
      take: From 0.
      spectrum: "IR" (grey, repeated to three channels) or "TV".
      seed: Of the whole set.
      num_frames: L.
      height: H in pixels; the width follows the spectrum's aspect.

    Raises:
      ValueError: If the action or the spectrum is unknown, or a number out of its range.
    """
    _check(action, actor, camera, take, spectrum, seed, num_frames, height)
    stage = _set_stage(action, actor, camera, take, seed, num_frames)
    width = frame_width(height, spectrum)
    view = (stage.camera, height, width)
    empty = backdrop(stage.room, stage.camera, spectrum, height, width)
    distractor, figure = outline(stage.distractor, *view), outline(stage.figure, *view)
    shadow = outline(_shadow(stage.figure, stage.room), *view)
    noise = _stream(seed, _NOISE, ACTIONS.index(action), actor, camera, take, SPECTRA.index(spectrum), height)
    columns = _stream(seed, _SENSOR, camera, width).standard_normal((1, width, 1), np.float32)
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    for first in range(0, num_frames, DRAWN_TOGETHER):
        some = slice(first, first + DRAWN_TOGETHER)
        images = np.repeat(empty[None], len(frames[some]), axis=0)
        if spectrum == "TV":
            draw_shadow(images, shadow.of(some))
        draw(images, distractor.of(some), stage.distractor)
        draw(images, figure.of(some), stage.figure)
        if spectrum == "IR":
            images = (images - COLDEST) / (HOTTEST - COLDEST) + COLUMN_NOISE * columns
        images += NOISE[spectrum] * noise.standard_normal((len(images), height, width, 1), np.float32)
        frames[some] = np.clip(255 * images + 0.5, 0, 255)
    return frames


def actor_mask(
    action: str, actor: int, camera: int, take: int, spectrum: str, *, seed: int, num_frames: int, height: int
) -> Bool[np.ndarray, "L H W"]:
    """The pixels of the actor in `render_clip` with the same arguments: True on the body, shadow excluded.

    Raises:
      ValueError: If the action or the spectrum is unknown, or a number out of its range.
    """
    _check(action, actor, camera, take, spectrum, seed, num_frames, height)
    stage = _set_stage(action, actor, camera, take, seed, num_frames)
    width = frame_width(height, spectrum)
    return silhouette(outline(stage.figure, stage.camera, height, width), height, width)


@check_kinds
def synthetic_actions(
    *,
    seed: int = 0,
    takes: int = 1,
    num_frames: int = 32,
    height: int = 64,
    actors: Iterable[int] = range(NUM_ACTORS),
) -> ClipSet:
    """All scenes in both spectra, rendered when loaded; actors 0 to 31 train, 32 to 47 test.

    Args:
      seed: Of the whole set.
      takes: Repetitions of each scene.
      num_frames: L, of each clip.
      height: Of the frames, in pixels: at 64, IR is 85x64 and TV 114x64.
      actors: Which of the 48.

    Returns:
      8 actions x actors x takes x 2 spectra clips, named as "sit_down-actor03-cam1-take0-IR"; the cameras take turns.

    Raises:
      ValueError: If a number is out of its range.
    """
    actors = tuple(actors)
    check_positive("takes", takes)
    for actor in actors:
        _check(ACTIONS[0], actor, 0, 0, "IR", seed, num_frames, height)
    options = dict(seed=seed, num_frames=num_frames, height=height)
    records = tuple(
        ClipRecord(
            name=f"{action}-actor{actor:02d}-cam{camera}-take{take}-{spectrum}",
            label=label,
            spectrum=spectrum,
            split="train" if actor in TRAIN_ACTORS else "test",
            load=partial(render_clip, action, actor, camera, take, spectrum, **options),
            load_mask=partial(actor_mask, action, actor, camera, take, spectrum, **options),
            actor=f"actor{actor:02d}",
        )
        for take in range(takes)
        for actor in actors
        for label, action in enumerate(ACTIONS)
        for camera in [(take + actor + label // 2) % len(CAMERAS)]
        for spectrum in SPECTRA
    )
    return ClipSet(ACTIONS, records)


def _check(action, actor, camera, take, spectrum, seed, num_frames, height):
    check_choice("action", action, ACTIONS)
    check_choice("spectrum", spectrum, SPECTRA)
    if actor not in range(NUM_ACTORS):
        raise ValueError(f"`actor` must be in 0..{NUM_ACTORS - 1}; got {actor}.")
    if camera not in range(len(CAMERAS)):
        raise ValueError(f"`camera` must be 0 or 1; got {camera}.")
    check_seed(seed)
    if take < 0:
        raise ValueError(f"`take` must be at least 0; got {take}.")
    check_positive("num_frames", num_frames)
    check_positive("height", height)


def _stream(*numbers):
    return np.random.default_rng(numbers)


@lru_cache(maxsize=64)
def _room(seed, actor, take):
    return make_room(_stream(seed, _ROOM, actor, take))


@lru_cache(maxsize=256)  # both spectra, and the actor's pixels in each, are of one stage
def _set_stage(action, actor, camera, take, seed, num_frames):
    """Everything but the pixels; the two actions of a pair get the same performance, one of them backwards."""
    pair = ACTIONS.index(action) // 2
    person = make_actor(_stream(seed, _ACTOR, actor))
    room = _room(seed, actor, take)
    performance = make_performance(_stream(seed, _PERFORMANCE, pair, actor, take))
    figure = perform(action, person, performance, num_frames)
    camera_there = CAMERAS[camera](aim=tuple(performance.aim))
    return _Stage(camera_there, room, moving_distractor(room, num_frames), figure)


def _shadow(figure, room):
    """The figure laid flat on the floor, as the room's lamp casts it."""

    def cast(points):
        away = points - room.light
        return room.light + away * (room.light[2] / np.maximum(-away[..., 2:], 0.5))

    return figure._replace(starts=cast(figure.starts), ends=cast(figure.ends))
