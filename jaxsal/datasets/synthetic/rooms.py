"""The room in which the synthetic clips are recorded: walls, furniture, warm and moving distractors."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxsal.datasets.synthetic.rendering import Camera, Capsules, muted_colour, rays

LOW, HIGH = np.array([-4.2, -5.0, 0.0]), np.array([4.2, 2.6, 3.0])  # the room's corners, metres
OVERSAMPLING = 2  # rays per pixel along each axis
FACE_LIGHT = np.array([0.82, 0.94, 1.08], np.float32)  # of faces across x, y, z


class Block(NamedTuple):
    """A box in the room."""

    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]
    colour: Float[np.ndarray, "3"]
    temperature: float  # degrees Celsius
    stripes: Float[np.ndarray, "3"]  # cycles per metre along x, y, z


class Room(NamedTuple):
    """What surrounds the actor."""

    blocks: tuple[Block, ...]  # the room's own shell is the first
    floor: Float[np.ndarray, "3"]  # colour
    light: Float[np.ndarray, "3"]  # position of the lamp
    draught: Float[np.ndarray, "3"]  # slow change of the walls' temperature, degrees per metre
    pendulum: bool  # the moving distractor is a swinging lamp, else a small animal
    swing: float  # in [0, 1): where its motion starts
    drift: float  # metres, or radians, per clip, with sign
    aside: float  # metres to the right of the stage's middle


def make_room(rng: np.random.Generator) -> Room:
    """Draws a furnished room, with a stool behind the actor, warm and cold things, and one that moves."""
    return Room(
        blocks=tuple(_furniture(rng)),
        floor=rng.uniform(0.45, 0.65) * np.array([1.0, 0.9, 0.78]),
        light=np.array([rng.uniform(-2, 0), rng.uniform(-2.5, -1), 2.9]),
        draught=rng.uniform(-0.4, 0.4, 3),
        pendulum=bool(rng.random() < 0.5),
        swing=rng.random(),
        drift=rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 1.4),
        aside=rng.choice([-1.0, 1.0]) * rng.uniform(0.8, 1.8),
    )


def _furniture(rng):
    """Yields the shell, the stool, then cupboards, pictures, a radiator and a window along the walls."""

    def block(centre, size, temperature, colour, stripes=(0.0, 0.0, 0.0)):
        half = np.asarray(size) / 2
        return Block(centre - half, centre + half, np.asarray(colour), float(temperature), np.asarray(stripes))

    def along_wall(side):  # at the back wall (0), or at the left or the right one (-1, 1)
        return (rng.uniform(-3, 3), HIGH[1]) if side == 0 else (side * HIGH[0], rng.uniform(-1.0, 2.0))

    warmth = rng.uniform(22, 27)
    yield Block(LOW, HIGH, 0.3 + 0.5 * muted_colour(rng), warmth, rng.choice([0.0, 1.0, 2.0], 3))
    yield block(np.array([0, 0.5, 0.22]), [0.36, 0.36, 0.44], warmth + rng.uniform(-3, 3), muted_colour(rng))
    for side in (-1, 0, 0, 1):
        size = rng.uniform([0.5, 0.5, 0.4], [1.1, 0.9, 1.9])
        centre = np.array([*along_wall(side), size[2] / 2])
        yield block(centre, size, rng.uniform(15, 35), muted_colour(rng), [0, 0, rng.choice([0.0, 3.0])])
    for side in (-1, 0, 1):
        size = rng.uniform(0.4, 0.9, 3) * ([1, 0, 1] if side == 0 else [0, 1, 1]) + 0.04
        centre = np.array([*along_wall(side), rng.uniform(1.5, 2.1)])
        yield block(centre, size, warmth + rng.uniform(-4, 4), muted_colour(rng), rng.uniform(0, 4, 3))
    thin = {0: [0.9, 0.12, 0.6], 1: [0.12, 0.9, 0.6]}
    aside = rng.choice([0, 1], 2)  # the radiator at the back or the right wall, the window in the back or the left one
    radiator, window = np.array([*along_wall(aside[0]), 0.5]), np.array([*along_wall(-aside[1]), 1.8])
    yield block(radiator, thin[aside[0]], rng.uniform(30, 36), [0.85, 0.85, 0.82], [7, 7, 0])
    yield block(window, thin[aside[1]], rng.uniform(12, 15), [0.9, 0.95, 1.0])


def backdrop(room: Room, camera: Camera, spectrum: str, height: int, width: int) -> Float[np.ndarray, "H W C"]:
    """The empty room: degrees Celsius (C = 1) for IR, colours in [0, 1] (C = 3) for TV."""
    sight = rays(camera, OVERSAMPLING * height, OVERSAMPLING * width)
    block, axis, points = _first_hits(room, camera, sight)
    surface = _temperatures if spectrum == "IR" else _colours
    image = surface(room, block, axis, points)
    image = image.reshape(-1, height, OVERSAMPLING, width, OVERSAMPLING).sum(axis=2).sum(axis=3)
    return np.moveaxis(image / OVERSAMPLING**2, 0, -1).copy()


def _first_hits(room, camera, sight):
    """Which block each ray meets first, across which axis, and where (3, H, W)."""
    eye = _column(camera.position)
    inverse = 1 / np.where(np.abs(sight) < 1e-6, np.float32(1e-6), sight)

    def crossings(block):
        to_low, to_high = (_column(block.low) - eye) * inverse, (_column(block.high) - eye) * inverse
        return np.minimum(to_low, to_high), np.maximum(to_low, to_high)

    _, leave = crossings(room.blocks[0])  # the camera is inside the shell, outside of all else
    reach, axis = leave.min(axis=0), leave.argmin(axis=0)
    block = np.zeros(reach.shape, int)
    for index, item in enumerate(room.blocks[1:], start=1):
        enter, leave = crossings(item)
        entry = enter.max(axis=0)
        hit = (entry > 0) & (entry < leave.min(axis=0)) & (entry < reach)
        reach[hit], block[hit], axis[hit] = entry[hit], index, enter[:, hit].argmax(axis=0)
    return block, axis, eye + reach * sight


def _column(vector):
    return np.asarray(vector, np.float32)[:, None, None]


def _temperatures(room, block, axis, points):
    temperature = np.array([item.temperature for item in room.blocks], np.float32)[block]
    temperature += (points * _column(room.draught)).sum(axis=0)
    temperature -= 1.5 * _is_floor(block, axis, points)
    for item in room.blocks:
        if item.temperature > 28:  # warm air above a radiator
            centre = _column([*(item.low + item.high)[:2] / 2, 1.2])
            temperature += 3 * np.exp(-(((points - centre) / _column([0.5, 0.5, 0.7])) ** 2).sum(axis=0))
    return temperature


def _colours(room, block, axis, points):
    floor = _is_floor(block, axis, points)
    paints = np.array([item.colour for item in room.blocks], np.float32).T[:, block]
    stripes = np.array([item.stripes for item in room.blocks], np.float32).T[:, block]
    pattern = np.sin(2 * np.pi * (stripes * points).sum(axis=0))
    tiles = np.sign(np.sin(3.5 * points[0]) * np.sin(3.5 * points[1]))
    texture = np.where(floor, 0.06 * tiles, np.where(block == 0, 0.03, 0.12) * pattern).astype(np.float32)
    distance = ((points - _column(room.light)) ** 2).sum(axis=0)
    light = FACE_LIGHT[axis] * (0.6 + 0.9 / (1 + distance / 9))
    return np.where(floor, _column(room.floor), paints) * ((1 + texture) * light)


def _is_floor(block, axis, points):
    return (block == 0) & (axis == 2) & (points[2] < 1)


def moving_distractor(room: Room, num_frames: int) -> Capsules:
    """A swinging lamp or a strolling animal behind the actor: warm, and moving alike in every action."""
    times = (np.arange(num_frames) + 0.5) / num_frames
    if room.pendulum:
        angle = 0.35 * np.sin(2 * np.pi * (room.swing + room.drift * times))
        pivot = np.array([room.aside, 1.5, 3.0])
        arm = np.stack([np.sin(angle), np.zeros_like(angle), -np.cos(angle)], axis=-1)
        tip = pivot + 1.0 * arm
        starts, ends = [np.broadcast_to(pivot, tip.shape), tip], [tip, tip + 0.08 * arm]
        radii, temperatures = [0.012, 0.1], [20.0, 35.0]
        colours = [[0.2, 0.2, 0.2], [1.0, 0.9, 0.6]]
    else:
        x = room.aside + 0.6 * room.drift * (times - 0.5)
        middle = np.stack([x, np.full_like(x, 1.3), np.full_like(x, 0.22)], axis=-1)
        length = np.array([0.16 * np.sign(room.drift), 0.0, 0.0])
        head = middle + 1.6 * length + [0.0, 0.0, 0.12]
        starts, ends = [middle - length, head, middle - length], [middle + length, head, middle - length * 2]
        radii, temperatures = [0.09, 0.075, 0.025], [30.0, 32.0, 27.0]
        colours = [[0.35, 0.25, 0.15]] * 3
    return Capsules(
        np.stack(starts, axis=1),
        np.stack(ends, axis=1),
        np.array(radii),
        np.array(radii),
        np.array(colours),
        np.array(temperatures),
    )
