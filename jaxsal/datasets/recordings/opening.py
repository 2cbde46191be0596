"""Opening a recording, whatever it lies in: its first bytes say what it is, not its suffix."""

from pathlib import Path

from jaxsal.datasets.recordings.arrays import ARRAY_SUFFIXES, open_array
from jaxsal.datasets.recordings.folder import open_folder, open_pages
from jaxsal.datasets.recordings.pictures import IMAGE_SUFFIXES
from jaxsal.datasets.recordings.recording import Reading, Recording
from jaxsal.datasets.recordings.video import open_video

_PICTURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x89PNG", b"\xff\xd8\xff", b"BM", b"\0\0\0\x0cjP  ")


def open_recording(path: str | Path, reading: Reading | None = None) -> Recording:
    """Opens a recording; its frames are read when they are asked for.

    Args:
      path: A video file (whatever PyAV opens), a folder of pictures, a file of several pictures (TIFF, WebP, APNG), or
        an array file (.npy, .npz).
      reading: What the file leaves open; `value_range` is for `Recording.read`.

    Raises:
      FileNotFoundError: If there is nothing at `path`.
      ValueError: If it is no recording, or cannot be read.
      TooLargeError: If it announces more than a limit of `jaxsal.core.limits`; the message says what raises the limit.
      MissingPackageError: If a package that reads it is not installed.
    """
    path, reading = Path(path), reading or Reading()
    if not path.exists():
        raise FileNotFoundError(f"`path` must exist; got {path}.")
    return _opened(path, reading).with_rate(reading.fps)


def _opened(path: Path, reading: Reading) -> Recording:
    if path.is_dir():
        return open_folder(path, reading.pattern)
    if path.suffix.lower() in ARRAY_SUFFIXES:
        return open_array(path, reading.pattern)
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return open_pages(path)
    try:
        return open_video(path, reading.stream)
    except ValueError as error:
        if "after 0 frames" in str(error) or "a video stream" in str(error):
            error.args = (f"{error} {_KINDS}",)
        raise


_KINDS = (
    f"A recording is a video that FFmpeg opens, an array ({' '.join(ARRAY_SUFFIXES)}), a TIFF of several pages, "
    f"or a folder of images ({' '.join(IMAGE_SUFFIXES)})."
)
