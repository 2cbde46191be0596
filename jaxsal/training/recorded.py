"""A recording, its windows, or both recordings of a scene as the clips that a classifier takes."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, overload

import numpy as np
from jaxtyping import Float, Int

from jaxsal.classifier import Classifier
from jaxsal.core.checks import check_positive
from jaxsal.core.kinds import check_kinds
from jaxsal.datasets.recordings.excerpt import Cut, Excerpt, take
from jaxsal.datasets.recordings.moments import Moment
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.datasets.recordings.recording import Reading
from jaxsal.datasets.recordings.values import RangeChoice
from jaxsal.datasets.records import TRAINING_SPECTRA
from jaxsal.datasets.sampling import centre_window
from jaxsal.training.networks import NetworkSpec
from jaxsal.training.windows import Windows, find_windows


class RecordedClip(np.ndarray):
    """A clip (T, H, W, 3) that knows where it is in its recording; in all else an array of NumPy.

    Parts and results of it, such as `clip[::2]` or `clip / 2`, are arrays that do not know.

    Attributes:
      frames: The frames of the recording that the clip consists of, counted from 0, (T,).
      times: When they were taken, in seconds from the start of the recording, (T,); None where its file does not say.
      excerpt: The recording and the part of its frames that the clip shows; `.excerpt.read()` gives the whole frames in
        colour, `.excerpt.notes` says what was decided in reading them.
    """

    frames: Int[np.ndarray, " T"] | None = None
    times: Float[np.ndarray, " T"] | None = None
    excerpt: Excerpt | None = None


@check_kinds
def read_clip(
    path: str | Path,
    classifier: Classifier | None = None,
    *,
    spectrum: Literal["TV", "IR"] | None = None,
    start: Moment = 0,
    stop: Moment | None = None,
    value_range: RangeChoice = None,
    fps: float | None = None,
    pattern: str | None = None,
    stream: int | None = None,
    num_frames: int | None = None,
    size: int | None = None,
    crop: int | None = None,
    antialias: bool = False,
) -> Float[RecordedClip, "T H W C"]:
    """Reads a recording as the clip that a classifier takes: frames chosen, resized, centre square, in [0, 1].

    Args:
      path: A video file, a folder of numbered images, a TIFF of several pages, or an array file (.npy, .npz).
      classifier: Of `jaxsal.load`; it says which frames are taken and at which size. For a model of your own leave it
        out, and give `num_frames`, `size` and `crop`.
      spectrum: "IR" or "TV" (visible); a classifier that was not trained on it gives a warning.
      start: First frame of the recording to use, counted from 0, or seconds such as "12.5s".
      stop: Frame or seconds before which to stop; None for the end.
      value_range: Raw values of black and white, such as counts of a thermal camera, or "auto": the 1st and the 99th
        percentile of the clip's frames. Must be given for signed, wider and floating-point values.
      fps: Frames per second of the recording, for `.times`; as its file says if None.
      pattern: Which files of a folder are the frames, such as "*_T.JPG"; which array of an .npz file.
      stream: Number of the video stream, counted from 0; the first if None.
      num_frames: T, consecutive frames from the middle; all frames if None.
      size: Shorter side of the resized frames, in pixels; the frames' own size, and no square, if None.
      crop: Side of the square that is cut out, in pixels; `size` if None.
      antialias: Whether frames are antialiased when they shrink.

    Returns:
      The clip (T, H, W, 3), float32; its attributes `frames` and `times` say where it is in the recording. A recording
      that is too short has frames repeated, with a warning.

    Raises:
      FileNotFoundError: If there is nothing at `path`.
      ValueError: If the recording cannot be read, an argument does not fit it, or the frames of the clip are given
        twice, by the classifier and by a keyword.

    Example:
      >>> import jaxsal, numpy as np, tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     np.save(f"{folder}/walk.npy", np.full((20, 48, 64), 29_000, np.int16))  # raw counts of a thermal camera
      ...     path, counts = f"{folder}/walk.npy", (28_000, 30_000)
      ...     clip = jaxsal.read_clip(path, value_range=counts, fps=10, num_frames=4, size=24)
      >>> clip.shape, clip.times.tolist()
      ((4, 24, 24, 3), [0.8, 0.9, 1.0, 1.1])
    """
    spec = _spec_of(classifier, spectrum, num_frames=num_frames, size=size, crop=crop)
    for name, value in dict(num_frames=num_frames, size=size, crop=crop).items():
        if value is not None:
            check_positive(name, value)
    if crop is not None and size is None:
        raise ValueError(f"`crop` must come with `size`; got {crop} alone.")
    reading = Reading(value_range, pattern, stream, fps)
    recording = open_recording(path, reading)
    first, last = recording.part(start, stop)
    if spec is not None:
        excerpt = spec.excerpt(recording, reading, first, last)
    else:
        indices = first + centre_window(last - first, last - first if num_frames is None else num_frames)
        cut = None if size is None else Cut(size, size if crop is None else crop, antialias)
        excerpt = take(recording, indices, reading, cut)
    return _recorded(excerpt.clip() if spec is None else spec.clip(excerpt), excerpt)


class RecordedWindows(Sequence[RecordedClip]):
    """The windows of a long recording as clips, each decoded when it is asked for.

    Attributes:
      plan: Where the windows are, and notes on what was decided.
    """

    def __init__(self, spec: NetworkSpec, plan: Windows):
        self.plan, self._spec = plan, spec

    def __len__(self) -> int:
        return len(self.plan.windows)

    @overload
    def __getitem__(self, number: int) -> RecordedClip: ...

    @overload
    def __getitem__(self, number: slice) -> list[RecordedClip]: ...

    def __getitem__(self, number: int | slice) -> RecordedClip | list[RecordedClip]:
        if isinstance(number, slice):
            return [self[place] for place in range(len(self))[number]]
        (excerpt,) = self.plan.windows[number].excerpts.values()
        return _recorded(self._spec.clip(excerpt), excerpt)


@check_kinds
def read_windows(
    path: str | Path,
    classifier: Classifier,
    *,
    window: Moment = "auto",
    hop: Moment | None = None,
    spectrum: Literal["TV", "IR"] = "TV",
    start: Moment = 0,
    stop: Moment | None = None,
    value_range: RangeChoice = None,
    fps: float | None = None,
    pattern: str | None = None,
    stream: int | None = None,
) -> RecordedWindows:
    """Divides a long recording into windows; of each, the clip that a classifier takes.

    Args:
      path: As for `read_clip`, as all arguments that are not named here.
      classifier: Of `jaxsal.load`, for one spectrum.
      window: Length in frames, in seconds such as "2.5s", or "auto": as many frames as the network takes.
      hop: From the start of one window to the start of the next, in the same unit; `window` if None.
      spectrum: "IR" or "TV" (visible).
      start: First frame of the first window, or seconds.
      stop: Frame or seconds before which to stop; None for the end.
      value_range: Raw values of black and white; "auto": percentiles of frames spread over all windows.
      fps: Frames per second of the recording; as its file says if None.
      pattern: Which files of a folder are the frames.
      stream: Number of the video stream.

    Returns:
      The windows in order, as a sequence that holds none of their frames; `windows[2].times` are the seconds of the
      third one's frames.

    Raises:
      FileNotFoundError: If there is nothing at `path`.
      ValueError: If the recording cannot be read, or an argument does not fit it.

    Example:
      >>> for clip in jaxsal.read_windows("patrol.mp4", classifier, window="4s", hop="2s"):  # doctest: +SKIP
      ...     print(clip.times[0], jaxsal.explain(classifier, clip, methods=("gradcam",)).prediction)
    """
    spec = _spec_of(classifier, spectrum)
    assert spec is not None
    readings: dict[str, Reading] = {spectrum: Reading(value_range, pattern, stream, fps)}
    plan = find_windows(spec, {spectrum: Path(path)}, readings, window=window, hop=hop, start=start, stop=stop)
    return RecordedWindows(spec, plan)


def _recorded(clip: Float[np.ndarray, "T H W C"], excerpt: Excerpt) -> Float[RecordedClip, "T H W C"]:
    recorded = clip.view(RecordedClip)
    recorded.excerpt, recorded.frames = excerpt, np.array(excerpt.frames)
    recorded.times = None if excerpt.times is None else np.array(excerpt.times)
    return recorded


@check_kinds
def read_scene(
    paths: Mapping[str, str | Path],
    classifier: Classifier,
    *,
    start: Moment = 0,
    stop: Moment | None = None,
    value_range: RangeChoice = None,
    infrared_offset: float = 0.0,
    fps: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Float[RecordedClip, "T H W C"]]:
    """Reads an infrared and a visible recording as the scene that a network of both spectra takes.

    Frames of the slower recording go with the nearest in time of the faster one; without times, frames of the same
    number do. Both are resized by their shorter side and cut around the middle, so they must show the same view.

    Args:
      paths: {"IR": recording, "TV": recording}, each as for `read_clip`.
      classifier: Of `jaxsal.load`, trained on both spectra at once.
      start: First frame of the visible recording to use, counted from 0, or seconds such as "12.5s".
      stop: Frame or seconds before which to stop; None for the end.
      value_range: Raw values of black and white of the infrared frames, or "auto", as for `read_clip`.
      infrared_offset: Seconds by which the infrared recording began after the visible one.
      fps: By spectrum, frames per second, for recordings whose file does not say.

    Returns:
      {"IR": (T, H, W, 1), "TV": (T, H, W, 3)}, float32 in [0, 1].

    Raises:
      FileNotFoundError: If there is nothing at a path.
      ValueError: If the classifier takes one spectrum, the paths are of other spectra, or a recording cannot be read.

    Example:
      >>> scene = jaxsal.read_scene({"IR": "walk_ir.mp4", "TV": "walk.mp4"}, classifier)  # doctest: +SKIP
    """
    spec = classifier.spec
    if spec is None or not spec.channels:
        raise ValueError(
            "`classifier` must take both spectra, as `jaxsal train --spectra FUSED` makes it; got another."
        )
    if sorted(paths) != sorted(spec.channels):
        raise ValueError(f"`paths` must be of the spectra {tuple(spec.channels)}; got {tuple(paths)}.")
    readings = {name: Reading(value_range if name == "IR" else None, fps=fps.get(name)) for name in paths}
    recordings = {name: open_recording(path, readings[name]) for name, path in paths.items()}
    excerpts = spec.scene_excerpts(recordings, readings, start, stop, infrared_offset=infrared_offset)
    return {name: _recorded(clip, excerpts[name]) for name, clip in spec.clip(excerpts).items()}


def _spec_of(classifier: Classifier | None, spectrum: str | None, **cutting: int | None) -> NetworkSpec | None:
    """What a classifier knows of its clips, after checking that nothing contradicts it; None without a classifier."""
    if classifier is None:
        return None
    spec = classifier.spec
    if spec is None:
        raise ValueError("`classifier` must be one of jaxsal.load; got a model of your own: give num_frames and size.")
    if spec.channels:
        raise ValueError("`classifier` must take one spectrum; got one of both, see `jaxsal.read_scene`.")
    given = [name for name, value in cutting.items() if value is not None]
    if given:
        shape = spec.clip_shape
        raise ValueError(f"`{given[0]}` must be left out for a classifier of clips {shape}; got {cutting[given[0]]}.")
    if spectrum is not None and spectrum not in TRAINING_SPECTRA[spec.spectra]:
        warnings.warn(f"The network was trained on {spec.spectra}, not on {spectrum}.", stacklevel=3)
    return spec
