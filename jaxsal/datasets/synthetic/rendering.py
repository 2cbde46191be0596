"""A pinhole camera, and bodies of capsules drawn by it in the infrared or in the visible spectrum.

The world is in metres: x to the right, y away from the cameras, z up, the floor at z = 0. Image coordinates are
in units of the frame's height, so that a scene looks the same at every scale.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

ASPECTS = {"IR": 640 / 480, "TV": 960 / 540}
EDGE_WIDTHS = {"IR": 0.005, "TV": 0.002}  # in frame heights: thermal optics are softer; never under a pixel
COLDEST, HOTTEST = 13.0, 37.0  # degrees Celsius shown as black and as white
RIM_COOLING = 2.5  # degrees by which a body is cooler at its rim than along its axis
LIGHT_IN_IMAGE = np.array([-0.45, -0.89], np.float32)  # towards the light: left and up
STAGE_HEIGHT = 0.92  # metres above the floor: where the cameras look


class Camera(NamedTuple):
    """A pinhole camera: where it is, how it is turned, how far it sees."""

    position: Float[np.ndarray, "3"]
    axes: Float[np.ndarray, "3 3"]  # rows: right, up, forward
    focal: float  # in frame heights


class Capsules(NamedTuple):
    """P tapered capsules over T frames: a moving body, with its colours and its temperatures."""

    starts: Float[np.ndarray, "T P 3"]
    ends: Float[np.ndarray, "T P 3"]
    start_radii: Float[np.ndarray, " P"]
    end_radii: Float[np.ndarray, " P"]
    colours: Float[np.ndarray, "P 3"]  # in [0, 1]
    temperatures: Float[np.ndarray, " P"]  # degrees Celsius


class Outlines(NamedTuple):
    """Capsules as one camera sees them, in pixels (column, row)."""

    starts: Float[np.ndarray, "T P 2"]
    ends: Float[np.ndarray, "T P 2"]
    start_radii: Float[np.ndarray, "T P"]
    end_radii: Float[np.ndarray, "T P"]
    order: Int[np.ndarray, "T P"]  # from far to near


class Spot(NamedTuple):
    """The part of a frame near one capsule, with the place of each pixel relative to it."""

    part: int
    rows: slice
    columns: slice
    offset_x: Float[np.ndarray, "h w"]  # from the nearest point of the axis, in radii
    offset_y: Float[np.ndarray, "h w"]
    distance: Float[np.ndarray, "h w"]  # to the outline in pixels, negative inside


def muted_colour(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Draws a colour of everyday things: of any brightness, seldom vivid."""
    vivid = rng.uniform(-0.5, 0.5, 3) * rng.uniform(0.1, 0.8)
    return np.clip(rng.uniform(0.2, 0.8) + vivid, 0.05, 0.95)


def frame_width(height: int, spectrum: str) -> int:
    """The width in pixels of a frame of this height: IR is 4:3, TV is 16:9."""
    return round(height * ASPECTS[spectrum])


def make_camera(
    azimuth: float, distance: float, elevation: float, extent: float, aim: tuple[float, float] = (0.0, 0.0)
) -> Camera:
    """A camera that looks at the middle of the stage, at the height of the hips, or aside of it.

    Args:
      azimuth: Degrees to the right of the stage's front.
      distance: Metres along the floor to the middle of the stage.
      elevation: Metres above the floor.
      extent: Metres that fit into the frame's height in the middle of the stage.
      aim: Metres to the right and up from that middle, to the point that the camera looks at.
    """
    angle = np.radians(azimuth)
    position = np.array([distance * np.sin(angle), -distance * np.cos(angle), elevation])
    aside, above = aim
    target = np.array([aside * np.cos(angle), aside * np.sin(angle), STAGE_HEIGHT + above])
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(right, forward), forward])
    return Camera(position, axes, float(np.hypot(distance, STAGE_HEIGHT - elevation) / extent))


def rays(camera: Camera, height: int, width: int) -> Float[np.ndarray, "3 H W"]:
    """The direction in which each pixel looks; its length is 1 along the optical axis."""
    x = (np.arange(width) + 0.5 - width / 2) / height / camera.focal
    y = (height / 2 - np.arange(height) - 0.5) / height / camera.focal
    right, up, forward = camera.axes[..., None, None]
    return (x * right + y[:, None] * up + forward).astype(np.float32)


def outline(capsules: Capsules, camera: Camera, height: int, width: int) -> Outlines:
    """Projects capsules to the pixels of a frame."""

    def project(points):
        seen = (points - camera.position) @ camera.axes.T
        scale = camera.focal * height / seen[..., 2]
        pixels = np.stack([width / 2 + scale * seen[..., 0], height / 2 - scale * seen[..., 1]], axis=-1)
        return pixels, scale, seen[..., 2]

    starts, start_scale, start_depth = project(capsules.starts)
    ends, end_scale, end_depth = project(capsules.ends)
    return Outlines(
        starts,
        ends,
        start_scale * capsules.start_radii,
        end_scale * capsules.end_radii,
        np.argsort(-(start_depth + end_depth), axis=1, kind="stable"),
    )


def spots(outlines: Outlines, frame: int, height: int, width: int, margin: float) -> Iterator[Spot]:
    """The visible capsules of one frame from far to near, each with the pixels up to `margin` around it."""
    start, end = outlines.starts[frame], outlines.ends[frame]
    start_radius, end_radius = outlines.start_radii[frame, :, None], outlines.end_radii[frame, :, None]
    low = np.floor(np.minimum(start - start_radius, end - end_radius) - margin)
    high = np.ceil(np.maximum(start + start_radius, end + end_radius) + margin)
    low = np.maximum(low, 0).astype(int).tolist()
    high = np.minimum(high, [width, height]).astype(int).tolist()
    axis = end - start
    axis_per_length = axis / np.maximum((axis**2).sum(axis=1, keepdims=True), 1e-6)
    numbers = np.concatenate([start, axis, axis_per_length, start_radius, end_radius - start_radius], axis=1)
    for part in outlines.order[frame].tolist():
        (left, top), (right, bottom) = low[part], high[part]
        if left >= right or top >= bottom:
            continue
        start_x, start_y, axis_x, axis_y, along_x, along_y, radius, taper = numbers[part].tolist()
        x = np.arange(left, right, dtype=np.float32) + (0.5 - start_x)
        y = (np.arange(top, bottom, dtype=np.float32) + (0.5 - start_y))[:, None]
        along = _clip(along_x * x + along_y * y)
        radii = radius + taper * along
        offset_x = (x - axis_x * along) / radii
        offset_y = (y - axis_y * along) / radii
        distance = (np.sqrt(offset_x**2 + offset_y**2) - 1.0) * radii
        yield Spot(part, slice(top, bottom), slice(left, right), offset_x, offset_y, distance)


def draw(image: Float[np.ndarray, "H W C"], outlines: Outlines, frame: int, capsules: Capsules) -> None:
    """Draws one frame of a body into `image`: in degrees Celsius if C = 1, in colours if C = 3."""
    height, width, channels = image.shape
    spectrum = "IR" if channels == 1 else "TV"
    edge = max(1.0, EDGE_WIDTHS[spectrum] * height)
    values = capsules.temperatures[:, None] if spectrum == "IR" else capsules.colours
    values = values.astype(np.float32)
    for spot in spots(outlines, frame, height, width, edge):
        if spectrum == "IR":
            cooling = spot.offset_x**2 + spot.offset_y**2
            value = values[spot.part] - RIM_COOLING * cooling[..., None]
        else:
            facing = LIGHT_IN_IMAGE[0] * spot.offset_x + LIGHT_IN_IMAGE[1] * spot.offset_y
            value = values[spot.part] * (0.9 + 0.3 * facing)[..., None]
        coverage = _clip(0.5 - spot.distance / edge)[..., None]
        pixels = image[spot.rows, spot.columns]
        pixels += coverage * (value - pixels)


def draw_shadow(image: Float[np.ndarray, "H W 3"], outlines: Outlines, frame: int) -> None:
    """Darkens a frame where the outlines of a shadow fall."""
    height, width, _ = image.shape
    edge = max(1.5, 0.03 * height)
    shadow = np.zeros((height, width, 1), np.float32)
    for spot in spots(outlines, frame, height, width, edge / 2):
        coverage = _clip(0.5 - spot.distance / edge)[..., None]
        pixels = shadow[spot.rows, spot.columns]
        np.maximum(pixels, coverage, out=pixels)
    image *= 1.0 - 0.3 * shadow


def _clip(values):
    return np.minimum(np.maximum(values, 0.0), 1.0)  # on small arrays much faster than np.clip


def silhouette(outlines: Outlines, height: int, width: int) -> Bool[np.ndarray, "T H W"]:
    """The pixels whose centre lies on the body, frame by frame."""
    mask = np.zeros((len(outlines.starts), height, width), bool)
    for frame, inside in enumerate(mask):
        for spot in spots(outlines, frame, height, width, 0.0):
            inside[spot.rows, spot.columns] |= spot.distance <= 0.0
    return mask
