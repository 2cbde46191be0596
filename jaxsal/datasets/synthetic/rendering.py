"""A pinhole camera, and bodies of capsules drawn by it in the infrared or in the visible spectrum.

The world is in metres: x to the right, y away from the cameras, z up, the floor at z = 0. Image coordinates are
in units of the frame's height, so that a scene looks the same at every scale.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

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

    def of(self, frames: slice) -> "Outlines":
        """Those of some frames."""
        return Outlines(*(values[frames] for values in self))


class Spots(NamedTuple):
    """The surroundings of one capsule in T frames, with the place of each pixel relative to it."""

    tops: Int[np.ndarray, " T"]  # the first row of each frame's part, which may reach beyond the frame
    lefts: Int[np.ndarray, " T"]
    offset_x: Float[np.ndarray, "T h w"]  # from the nearest point of the axis, in radii
    offset_y: Float[np.ndarray, "T h w"]
    distance: Float[np.ndarray, "T h w"]  # to the outline in pixels, negative inside

    def part(self, images: Shaped[np.ndarray, "T H W ..."], frame: int) -> tuple[np.ndarray, tuple[int, slice, slice]]:
        """What one image shows of the surroundings, to be changed in place; and where that is in their own arrays."""
        top, left = self.tops[frame], self.lefts[frame]
        height, width = self.distance.shape[1:]
        seen = images[frame, top : top + height, left : left + width]
        return seen, (frame, slice(seen.shape[0]), slice(seen.shape[1]))


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


def spots(outlines: Outlines, part: int, height: int, width: int, margin: float) -> Spots:
    """The pixels up to `margin` around one capsule, of all frames at once."""
    start, end = outlines.starts[:, part], outlines.ends[:, part]
    start_radius, end_radius = outlines.start_radii[:, part, None], outlines.end_radii[:, part, None]
    low = np.floor(np.minimum(start - start_radius, end - end_radius) - margin)
    high = np.ceil(np.maximum(start + start_radius, end + end_radius) + margin)
    low, high = np.maximum(low, 0).astype(int), np.minimum(high, [width, height]).astype(int)
    columns, rows = np.maximum(high - low, 0).max(axis=0)
    axis = end - start
    axis_per_length = axis / np.maximum((axis**2).sum(axis=1, keepdims=True), 1e-6)
    x = (low[:, :1] + np.arange(columns)).astype(np.float32)[:, None] + _each(0.5 - start[:, 0])
    y = (low[:, 1:] + np.arange(rows)).astype(np.float32)[:, :, None] + _each(0.5 - start[:, 1])
    along = _clip(_each(axis_per_length[:, 0]) * x + _each(axis_per_length[:, 1]) * y)
    radii = _each(start_radius) + _each(end_radius - start_radius) * along
    offset_x = (x - _each(axis[:, 0]) * along) / radii
    offset_y = (y - _each(axis[:, 1]) * along) / radii
    distance = (np.sqrt(offset_x**2 + offset_y**2) - 1.0) * radii
    return Spots(low[:, 1], low[:, 0], offset_x, offset_y, distance)


def draw(images: Float[np.ndarray, "T H W C"], outlines: Outlines, capsules: Capsules) -> None:
    """Draws a body into the frames of `images`: in degrees Celsius if C = 1, in colours if C = 3."""
    _, height, width, channels = images.shape
    spectrum = "IR" if channels == 1 else "TV"
    edge = max(1.0, EDGE_WIDTHS[spectrum] * height)
    values = capsules.temperatures[:, None] if spectrum == "IR" else capsules.colours
    around, coverages, shown = [], [], []
    for part, value in enumerate(values.astype(np.float32)):
        spot = spots(outlines, part, height, width, edge)
        if spectrum == "IR":
            cooling = spot.offset_x**2 + spot.offset_y**2
            shown.append(value - RIM_COOLING * cooling[..., None])
        else:
            facing = LIGHT_IN_IMAGE[0] * spot.offset_x + LIGHT_IN_IMAGE[1] * spot.offset_y
            shown.append(value * (0.9 + 0.3 * facing)[..., None])
        around.append(spot)
        coverages.append(_clip(0.5 - spot.distance / edge)[..., None])
    for frame, order in enumerate(outlines.order):
        for part in order:
            pixels, inside = around[part].part(images, frame)
            pixels += coverages[part][inside] * (shown[part][inside] - pixels)


def draw_shadow(images: Float[np.ndarray, "T H W 3"], outlines: Outlines) -> None:
    """Darkens frames where the outlines of a shadow fall."""
    _, height, width, _ = images.shape
    edge = max(1.5, 0.03 * height)
    shadow = np.zeros((*images.shape[:3], 1), np.float32)
    for part in range(outlines.order.shape[1]):
        spot = spots(outlines, part, height, width, edge / 2)
        coverage = _clip(0.5 - spot.distance / edge)[..., None]
        for frame in range(len(images)):
            pixels, inside = spot.part(shadow, frame)
            np.maximum(pixels, coverage[inside], out=pixels)
    images *= 1.0 - 0.3 * shadow


def _each(values: np.ndarray) -> np.ndarray:
    """One number for each frame, beside its pixels."""
    return values.astype(np.float32).reshape(-1, 1, 1)


def _clip(values):
    return np.minimum(np.maximum(values, 0.0), 1.0)  # on small arrays much faster than np.clip


def silhouette(outlines: Outlines, height: int, width: int) -> Bool[np.ndarray, "T H W"]:
    """The pixels whose centre lies on the body, frame by frame."""
    mask = np.zeros((len(outlines.starts), height, width), bool)
    for part in range(outlines.order.shape[1]):
        spot = spots(outlines, part, height, width, 0.0)
        for frame in range(len(mask)):
            pixels, inside = spot.part(mask, frame)
            pixels |= spot.distance[inside] <= 0.0
    return mask
