"""A run of a long recording as its report shows it: all windows by their numbers, some of them in the player."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.types import ClipTree
from jaxsal.datasets.records import FUSED, SPECTRA
from jaxsal.drawing.recording import Excerpts
from jaxsal.evaluation.explanation import Explanation
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.reading import Place, read_explanation
from jaxsal.evaluation.scenes import part_name
from jaxsal.evaluation.store import Store
from jaxsal.training.networks import NetworkSpec


class WindowRun(NamedTuple):
    """What a run says of a recording's windows.

    Attributes:
      timeline: Of `strip_values`.
      read: Reads a window's explanation by its name, with its frames, out of the recording.
      names: Of the windows, the names of the explanations of each.
    """

    timeline: Mapping[str, Any]
    read: Callable[[str], Explanation]
    names: Sequence[Sequence[str]]


def window_run(
    timeline: Mapping[str, Any],
    store: Store,
    places: Sequence[Place],
    options: ExplainOptions,
    spec: NetworkSpec,
    excerpts: Excerpts,
) -> WindowRun:
    """The windows of a run.

    Args:
      timeline: Of run.json.
      store: Of the run.
      places: Where the store has the windows' results.
      options: How they were explained.
      spec: Of the network, which says how frames are cut.
      excerpts: By clip, the frames of its recording; of a scene by the names of its spectra.
    """
    by_name = {place.name: place for place in places}
    names = [[name for name in by_name if f"-{window['place']}-" in name] for window in timeline["windows"]]

    def read(name: str) -> Explanation:
        return read_explanation(store, by_name[name], options, load=lambda: _clip(spec, by_name[name], excerpts))

    return WindowRun(timeline, read, names)


def _clip(spec: NetworkSpec, place: Place, excerpts: Excerpts) -> ClipTree:
    """The clip of a window, read again; ValueError if it is no longer what was explained."""
    parts = {spectrum: part_name(place.name, spectrum) for spectrum in SPECTRA} if place.name.endswith(FUSED) else {}
    own = {spectrum: excerpts[name] for spectrum, name in parts.items()}
    clip = spec.clip(own or excerpts[place.name])
    if fingerprint(clip) != place.digest:
        path = next(iter(own.values()), excerpts.get(place.name))
        raise ValueError(
            f"`run` must be of the recording that was explained; got another at {path.path if path else ''} for "
            f"{place.name}. Run the command that made the run again."
        )
    return clip
