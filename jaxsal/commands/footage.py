"""Options that say which recordings a command reads, and how."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict, TypeVar

from jaxsal.commands.verb import unset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxsal.datasets.recordings.moments import Moment
    from jaxsal.datasets.recordings.recording import Reading
    from jaxsal.training.footage import Footage
    from jaxsal.training.networks import NetworkSpec
    from jaxsal.training.windows import Windows

Value = TypeVar("Value")


class Part(TypedDict):
    """Which part of the recordings is looked at."""

    start: "Moment"
    stop: "Moment | None"
    infrared_offset: float


@dataclass(frozen=True)
class FootageOptions:
    """Which recordings a command reads, and how; an option of two values has the infrared recording's second."""

    infrared: Annotated[Path | None, unset("CLIP alone")] = None
    """Infrared recording of the same scene; CLIP is then the visible recording. The two are aligned by time."""
    infrared_offset: float = 0.0
    """Seconds by which the infrared recording began after the visible one; below 0 if before."""
    spectrum: Literal["TV", "IR"] = "TV"
    """Spectrum of CLIP: visible (TV, the study's name) or infrared."""
    start: str = "0"
    """First frame of CLIP to use, counted from 0, or seconds such as 12.5s."""
    stop: Annotated[str | None, unset("the end")] = None
    """Frame or seconds of CLIP before which to stop, above --start."""
    value_range: Annotated[tuple[float, float] | Literal["auto"] | None, unset("the full range of the bits")] = None
    """Raw values of black and white, or auto: percentiles of the frames; with --infrared, those of its frames."""
    fps: Annotated[tuple[float, ...], unset("as the file says")] = ()
    """Frames per second, for files that do not say or are wrong; a second value is of --infrared."""
    pattern: Annotated[tuple[str, ...], unset("all images")] = ()
    """Which files of a folder are the frames, such as '*_T.JPG', or which array of an .npz; a second, of --infrared."""
    stream: Annotated[tuple[int, ...], unset("the first")] = ()
    """Number of the video stream in its file, counted from 0; a second value is of --infrared."""

    def find(self, clip: Path, spec: "NetworkSpec") -> "Footage":
        """The frames that a network sees of the recordings.

        Raises:
          ValueError: If an option does not fit the recordings.
        """
        from jaxsal.training.footage import find_footage

        paths = self._paths(clip)
        return find_footage(spec, paths, self._readings(paths), **self._part())

    def find_windows(self, clip: Path, spec: "NetworkSpec", window: str, hop: str | None) -> "Windows":
        """The windows of the recordings; errors as `find`."""
        from jaxsal.training.windows import find_windows

        paths = self._paths(clip)
        return find_windows(spec, paths, self._readings(paths), window=window, hop=hop, **self._part())

    def _paths(self, clip: Path) -> dict[str, Path]:
        """The recordings by spectrum."""
        if self.infrared is not None and self.spectrum == "IR":
            raise ValueError("`--infrared` must come with a visible CLIP; got --spectrum IR.")
        if self.infrared is None and self.infrared_offset:
            raise ValueError(f"`--infrared-offset` must come with --infrared; got {self.infrared_offset} alone.")
        paths: dict[str, Path] = {self.spectrum: clip}
        if self.infrared is not None:
            paths["IR"] = self.infrared
        return paths

    def _readings(self, paths: "Mapping[str, Path]") -> "dict[str, Reading]":
        from jaxsal.datasets.recordings.recording import Reading

        return {
            spectrum: Reading(
                self.value_range if spectrum == "IR" or self.infrared is None else None,
                self._one_of("pattern", self.pattern, number),
                self._one_of("stream", self.stream, number),
                self._one_of("fps", self.fps, number),
            )
            for number, spectrum in enumerate(paths)
        }

    def _part(self) -> "Part":
        from jaxsal.datasets.recordings.moments import check_moment

        stop = None if self.stop is None else check_moment("stop", self.stop)
        return dict(start=check_moment("start", self.start), stop=stop, infrared_offset=self.infrared_offset)

    def _one_of(self, name: str, values: tuple[Value, ...], number: int) -> Value | None:
        """The value of one of the recordings; None where it has none."""
        allowed = 1 if self.infrared is None else 2
        if len(values) > allowed:
            raise ValueError(f"`--{name}` must have {allowed} value{'s' * (allowed > 1)} at most; got {values}.")
        return values[number] if number < len(values) else None
