"""Frames of a recording, whatever file it lies in, and their resizing to the size a classifier takes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from jaxsal.core.extras import check_installed
from jaxsal.core.resize import linear_weights

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv", ".gif")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
ARRAY_SUFFIXES = (".npy", ".npz")
FULL_RANGES = {"bool": (0, 1), "uint8": (0, 255), "uint16": (0, 65535)}

ValueRange = tuple[int | float, int | float]


def read_frames(
    path: str | Path,
    *,
    start: int = 0,
    stop: int | None = None,
    value_range: ValueRange | None = None,
) -> UInt8[np.ndarray, "L H W 3"]:
    """Reads frames `start` to `stop` (exclusive) of one recording.

    A recording is a video file (anything PyAV decodes, GIF too; one frame per picture it stores, whatever
    its timing, a rotation tag not applied), a folder of images (in the order of the numbers in their names),
    or an array file: .npy, or .npz with one array of 3 or 4 axes, (L, H, W), (L, H, W, 1) or (L, H, W, 3).
    Grey is repeated to three channels, an alpha channel is dropped.

    A video that is cut off raises where decoding fails or where it ends before the number of frames that it
    announces; a container that announces none (mkv, webm, gif) can end early unnoticed.

    Values become uint8 by `value_range`: 255 (v - low) / (high - low), rounded and clipped to 0..255.
    Without it 8-bit values stay as they are and 16-bit ones use the full range, (0, 65535). 16-bit grey
    keeps its raw values up to this step; other deep pictures (16-bit colour, 10-bit video) come as 8 bits.

    Args:
      path: The file or the folder.
      start: First frame; earlier ones are not converted, in a folder or an array not even read.
      stop: One past the last frame; None reads to the end.
      value_range: (low, high) in raw units, such as the counts of a thermal camera. Must be given for signed,
        wider and floating-point values.

    Raises:
      FileNotFoundError: If there is nothing at `path`.
      ValueError: If the file cannot be read, is cut off or of an unknown type, the folder has no image, the
        frames differ in size, or `start`, `stop` or `value_range` do not fit the recording.
    """
    path = Path(path)
    if start < 0:
        raise ValueError(f"`start` must be at least 0; got {start}.")
    if stop is not None and stop <= start:
        raise ValueError(f"`stop` must be greater than `start`, {start}; got {stop}.")
    if value_range is not None and not -np.inf < value_range[0] < value_range[1] < np.inf:
        raise ValueError(f"`value_range` must be two finite numbers, low < high; got {value_range}.")
    frames: list[np.ndarray] = []
    for raw in _raw_frames(path, start, stop):
        frames.append(_to_uint8(raw, value_range, path))
        if frames[-1].shape != frames[0].shape:
            size, first = frames[-1].shape[:2], frames[0].shape[:2]
            raise ValueError(
                f"`path` must hold frames of one size; got {size} for frame {start + len(frames) - 1} "
                f"after {first} in {path}."
            )
    return np.stack(frames)


def frame_rate(path: str | Path) -> float | None:
    """Frames per second of a recording, as its file says, on the whole; None where it does not."""
    if Path(path).suffix.lower() not in VIDEO_SUFFIXES:
        return None
    import av

    with av.open(path) as container:
        rate = container.streams.video[0].average_rate
    return float(rate) if rate else None


def _raw_frames(path: Path, start: int, stop: int | None) -> Iterator[np.ndarray]:
    """The frames as stored: grey (H, W) or colour (H, W, C)."""
    if not path.exists():
        raise FileNotFoundError(f"`path` must exist; got {path}.")
    if path.is_dir():
        return _image_frames(path, start, stop)
    suffix = path.suffix.lower()
    if suffix in ARRAY_SUFFIXES:
        return _array_frames(path, start, stop)
    if suffix in VIDEO_SUFFIXES:
        return _video_frames(path, start, stop)
    raise ValueError(
        f"`path` must be a video ({' '.join(VIDEO_SUFFIXES)}), an array ({' '.join(ARRAY_SUFFIXES)}) "
        f"or a folder of images ({' '.join(IMAGE_SUFFIXES)}); got {path}."
    )


def _check_length(path: Path, start: int, stop: int | None, length: int) -> None:
    if start >= length:
        raise ValueError(f"`start` must be below {length}, the frames of {path}; got {start}.")
    if stop is not None and stop > length:
        raise ValueError(f"`stop` must be at most {length}, the frames of {path}; got {stop}.")


def _video_frames(path: Path, start: int, stop: int | None) -> Iterator[np.ndarray]:
    check_installed("av")
    import av

    num_read = 0
    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise ValueError(f"`path` must hold a video stream; got {path}.")
            stream = container.streams.video[0]
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise av.error.InvalidDataError(0, "corrupt frame", str(path))
                if num_read >= start:
                    is_deep_grey = frame.format.name.startswith("gray16")
                    yield frame.to_ndarray(format="gray16le" if is_deep_grey else "rgb24")
                num_read += 1
                if num_read == stop:
                    return
            announced = stream.frames
    except av.FFmpegError as error:
        raise ValueError(
            f"`path` must be a whole, readable video; got {path}, "
            f"where decoding failed after {num_read} frames ({error.strerror})."
        ) from error
    if num_read == 0:
        raise ValueError(f"`path` must hold at least one frame; got {path}.")
    if stop is None and num_read < announced:
        raise ValueError(
            f"`path` must be a whole video; got {path}, which announces {announced} frames and holds {num_read} "
            f"(stop={num_read} reads those)."
        )
    _check_length(path, start, stop, num_read)


def _image_frames(folder: Path, start: int, stop: int | None) -> Iterator[np.ndarray]:
    from PIL import Image, UnidentifiedImageError

    paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
    if not paths:
        raise ValueError(f"`path` must hold images ({' '.join(IMAGE_SUFFIXES)}); got {folder}.")
    _check_length(folder, start, stop, len(paths))
    for path in sorted(paths, key=_natural_key)[start:stop]:
        try:
            with Image.open(path) as image:
                is_deep_grey = image.mode.startswith("I") or image.mode == "F"
                yield np.asarray(image if is_deep_grey else image.convert("RGB"))
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ValueError(f"`path` must hold readable images; got {path} ({error}).") from error


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Sorts frame_2 before frame_10, and frame_2 as frame_02."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _array_frames(path: Path, start: int, stop: int | None) -> Iterator[np.ndarray]:
    array = _load_array(path)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] not in (1, 3)):
        raise ValueError(f"`path` must hold (L, H, W) or (L, H, W, 3) values; got {array.shape} in {path}.")
    _check_length(path, start, stop, len(array))
    yield from array[start:stop]


def _load_array(path: Path) -> np.ndarray:
    import zipfile

    try:
        if path.suffix.lower() == ".npy":
            return np.lib.format.open_memmap(path, mode="r")
        with path.open("rb") as file, np.lib.npyio.NpzFile(file) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"`path` must be a readable array file; got {path} ({error}).") from error
    videos = [name for name, array in arrays.items() if array.ndim in (3, 4)]
    if len(videos) != 1:
        raise ValueError(f"`path` must hold one array of 3 or 4 axes; got {videos} of {list(arrays)} in {path}.")
    return arrays[videos[0]]


def _to_uint8(raw: np.ndarray, value_range: ValueRange | None, path: Path) -> np.ndarray:
    """Maps raw values to 0..255 and repeats grey to three channels."""
    if raw.dtype.kind not in "biuf":
        raise ValueError(f"`path` must hold real numbers; got {raw.dtype} in {path}.")
    value_range = value_range or FULL_RANGES.get(raw.dtype.name)
    if value_range is None:
        raise ValueError(f"`value_range` must be given for {raw.dtype} values; got None for {path}.")
    if raw.dtype.kind == "f" and np.isnan(raw).any():
        raise ValueError(f"`path` must hold numbers; got NaN in {path}.")
    if raw.dtype != np.uint8 or value_range != FULL_RANGES["uint8"]:
        low, high = value_range
        raw = np.rint(np.clip((raw.astype(np.float64) - low) * 255 / (high - low), 0, 255))
    colour = raw if raw.ndim == 3 else raw[..., None]
    return np.broadcast_to(colour.astype(np.uint8), (*colour.shape[:2], 3))


def resize_and_crop(
    frames: UInt8[np.ndarray, "L H W 3"],
    *,
    short_side: int = 256,
    crop: int = 224,
    antialias: bool = False,
) -> Float[np.ndarray, "L S S 3"]:
    """Resizes frames by their shorter side, cuts the centre square out and scales values to [0, 1].

    Bilinear with half-pixel centres; the longer side becomes int(short_side * long / short). A pixel of
    the output is a weighted mean of input pixels, w(j) ~ max(0, 1 - |j - centre| / support) per axis.

    Args:
      frames: Frames of any size, values 0 to 255.
      short_side: Shorter side after resizing, in pixels.
      crop: Side of the square, in pixels.
      antialias: Widens `support` from 1 to the reduction factor, as PIL does. The study's 3D network goes
        without, its PAN with; better with wherever frames shrink to less than half.

    Returns:
      float32 clips in [0, 1].

    Raises:
      ValueError: If `crop` is not in 1..`short_side`, or a side of the frames is 0.
    """
    if not 1 <= crop <= short_side:
        raise ValueError(f"`crop` must be in 1..`short_side`, {short_side}; got {crop}.")
    length, height, width, channels = frames.shape
    short = min(height, width)
    if short == 0:
        raise ValueError(f"`frames` must not be empty; got shape {frames.shape}.")
    rows = _resize_weights(height, int(short_side * height / short), crop, antialias)
    columns = _resize_weights(width, int(short_side * width / short), crop, antialias)
    clip = np.empty((length, crop, crop, channels), np.float32)
    for frame, out in zip(frames, clip, strict=True):
        wide = (rows @ frame.reshape(height, -1)).reshape(crop, width, channels)
        turned = columns @ wide.swapaxes(0, 1).reshape(width, -1)
        out[:] = turned.reshape(crop, crop, channels).swapaxes(0, 1)
    return np.clip(clip / np.float32(255), 0, 1)


def square_frames(
    frames: UInt8[np.ndarray, "L H W 3"], size: int, *, antialias: bool = False
) -> UInt8[np.ndarray, "L S S 3"]:
    """Resizes frames by their shorter side and cuts the middle square out, rounded to bytes; see `resize_and_crop`."""
    if frames.shape[1:3] == (size, size):
        return frames
    square = resize_and_crop(frames, short_side=size, crop=size, antialias=antialias)
    return np.rint(255 * square).astype(np.uint8)


def _resize_weights(size: int, new_size: int, crop: int, antialias: bool) -> Any:
    """Sparse (crop, size) float32 matrix that resizes one axis to `new_size` and keeps its centre."""
    from scipy.sparse import csr_array

    scale = size / new_size
    first = round((new_size - crop) / 2)
    centres = (np.arange(first, first + crop) + 0.5) * scale - 0.5
    return csr_array(linear_weights(centres, size, support=max(scale, 1.0) if antialias else 1.0).astype(np.float32))
