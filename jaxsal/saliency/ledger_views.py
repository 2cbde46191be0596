"""What a ledger of RISE shows of itself: a line, a figure, a labelled dataset."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsal.core.extras import check_installed
from jaxsal.core.shown import listed, number_text
from jaxsal.core.types import Contrast, Target
from jaxsal.drawing.figures import draw_frames, map_rows
from jaxsal.engine.class_scores import class_names, class_scores, num_targets, predicted_class, score_unit
from jaxsal.engine.spectra import beside
from jaxsal.engine.targets import check_target

if TYPE_CHECKING:
    import xarray
    from jaxtyping import PyTree
    from matplotlib.figure import Figure

    from jaxsal.recipes import RiseOptions


class LedgerViews:
    """The views of a `RiseLedger`, which are read-outs of its fields."""

    if TYPE_CHECKING:
        shape: tuple[int, ...]
        options: RiseOptions
        clip_logits: np.ndarray
        ids: np.ndarray
        logits: np.ndarray
        classes: tuple[str, ...]
        spectra: tuple[str, ...]
        map: Callable[[Target], PyTree]
        stderr: Callable[[Target], PyTree]

    @property
    def has_stderr(self) -> bool:
        """Whether the map has a standard error: the masks are independent, and the map is a mean over them."""
        return self.options.sampling == "independent" and self.options.estimator != "ridge"

    def __repr__(self) -> str:
        best = self._number(None)
        logit = class_scores(np.asarray(self.clip_logits), "logits")[best]
        predicted = f"predicted {self._class_name(best)}, logit {number_text(logit)}"
        named = f": {listed(self.classes)}" if self.classes else ""
        grid = "x".join(map(str, self.options.grid_shape))
        masks = f"{len(self.ids):,} masks of {self.shape}, grid {grid}, keep_prob {self.options.keep_prob:g}"
        return f"RiseLedger({masks}; {predicted}; {num_targets(self.logits.shape[1])} classes{named})"

    def _class_name(self, number: int) -> str:
        names = class_names(self.classes, self.logits.shape[1])
        return names[number] if names else f"class {number}"

    def _number(self, target: Target) -> int:
        number = check_target(target, self.logits.shape[1], classes=self.classes, all_classes=False)
        if callable(number) or isinstance(number, Contrast):
            raise TypeError(f"`target` must be a class by number or name here; got {number!r}.")
        return int(predicted_class(self.clip_logits, self.options.scores) if number is None else number)

    def plot(self, target: Target = None, *, num_frames: int = 8) -> "Figure":
        """Draws the map of a class, and below it its standard error where it has one, as frames of colours.

        Args:
          target: The class, by number or name; the predicted class if None.
          num_frames: Frames to show at most, evenly spaced.

        Returns:
          The figure, which a notebook shows; `.savefig(path)` writes it.

        Raises:
          MissingPackageError: If Matplotlib is not installed.
          ValueError: If `target` is no class.
        """
        number = self._number(target)
        unit = f"mean {score_unit(self.options.scores)}"
        maps: dict[str, np.ndarray] = {}
        for name, values in self._maps(number).items():
            parts = values.items() if isinstance(values, Mapping) else [("", values)]
            maps |= {f"{spectrum} {name}".strip(): np.asarray(own) for spectrum, own in parts}
        rows, bars = map_rows(maps, dict.fromkeys(maps, unit))
        title = f"RISE, {self._class_name(number)}, {len(self.ids):,} masks"
        return draw_frames(rows, num_frames=num_frames, bars=bars, title=title)

    def _maps(self, number: int) -> Mapping[str, Any]:
        maps = {"map": self.map(number)}
        known = self.has_stderr and len(self.ids) > 1
        return maps | ({"standard error": self.stderr(number)} if known else {})

    def to_xarray(self, target: Target = None) -> "xarray.Dataset":
        """Scores and map with labels.

        Args:
          target: The class of the map, by number or name; the predicted class if None.

        Returns:
          `logits` (mask, class), `clip_logits` (class), `saliency` (time, row, column) and, for masks that were drawn
          independently, `stderr`; time is the number of the map's slice. Of a scene both have the axis `spectrum`.

        Raises:
          MissingPackageError: If xarray is not installed.
          ValueError: If `target` is no class.
        """
        check_installed("xarray")
        import xarray

        number = self._number(target)
        axes = (*["spectrum"] * bool(self.spectra), "time", "row", "column")
        names = {"map": "saliency", "standard error": "stderr"}
        maps = {name: beside(own) if isinstance(own, Mapping) else own for name, own in self._maps(number).items()}
        variables = {names[name]: (axes, np.asarray(own)) for name, own in maps.items()}
        scores = dict(logits=(("mask", "class"), self.logits), clip_logits=(("class",), self.clip_logits))
        coordinates: dict[str, Any] = {axis: np.arange(size) for axis, size in zip(axes, self.shape, strict=True)}
        numbers = np.arange(self.logits.shape[1])
        coordinates |= {"spectrum": list(self.spectra)} if self.spectra else {}
        coordinates |= {"mask": self.ids, "class": np.array(self.classes) if self.classes else numbers}
        return xarray.Dataset(scores | variables, coordinates, attrs={"target": self._class_name(number)})
