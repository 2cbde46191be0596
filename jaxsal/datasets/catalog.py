"""Sets of clips by name: the embedded one, a prepared one, or a folder of a user's own recordings."""

from pathlib import Path

from jaxsal.core.checks import check_positive, check_seed
from jaxsal.core.kinds import check_kind, check_kinds
from jaxsal.datasets.paired import paired_actions
from jaxsal.datasets.prepared import default_data_dir, find_prepared, is_prepared_name, list_prepared, prepared_clips
from jaxsal.datasets.records import ClipSet
from jaxsal.datasets.synthetic import synthetic_actions

SYNTHETIC = "synthetic"
SPARE_FRAMES = 4


@check_kinds
def open_clips(data: str, *, height: int, num_frames: int = 16, seed: int = 0) -> ClipSet:
    """Opens a set of labelled clips.

    Args:
      data: "synthetic" for the embedded set, the name of a prepared set ("multispectral_actions", or
        "multispectral_actions/square256" where there are several), or a folder in the layout of
        `jaxsal.datasets.paired`.
      height: Of the frames that the embedded set renders.
      num_frames: Of a network's clips; the embedded set renders four more, so that training can choose among them.
      seed: Of the embedded set.

    Raises:
      FileNotFoundError: If the set is not prepared, or the folder or a file of its layout is missing.
      ValueError: If the prepared set is not whole, or the folder's table of segments is not as it must be.
    """
    check_kind("data", data, Path)
    check_positive("height", height)
    check_positive("num_frames", num_frames)
    check_seed(seed)
    if data == SYNTHETIC:
        return synthetic_actions(seed=seed, num_frames=num_frames + SPARE_FRAMES, height=height)
    if is_prepared_name(data):
        return prepared_clips(find_prepared(data).folder)
    if not Path(data).is_dir():
        prepared = ", ".join(found.name for found in list_prepared()) or "none"
        rule = f"be {SYNTHETIC}, the name of a prepared set or a folder of recordings"
        raise FileNotFoundError(f"`data` must {rule}; got {data!r}; prepared in {default_data_dir()}: {prepared}.")
    return paired_actions(data)
