"""What the methods said of one clip."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, PyTree

from jaxsal.core.checks import check_positive
from jaxsal.core.kinds import check_kinds
from jaxsal.core.types import AnyArray, Contrast
from jaxsal.datasets.recordings.excerpt import Excerpt
from jaxsal.drawing.plots import draw_curves
from jaxsal.evaluation.options import ExplainOptions
from jaxsal.evaluation.views import as_dataset, as_html, as_text, curve_panels, frames_figure, heading
from jaxsal.metrics.curve import Curve
from jaxsal.metrics.summary import ClipResult
from jaxsal.recipes import MEASURES
from jaxsal.saliency.ledger import RiseLedger
from jaxsal.saliency.order import Settled, settled_so_far
from jaxsal.saliency.settled import undecided
from jaxsal.saliency.spectrum_shares import SpectrumShares

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure


class Explanation(NamedTuple):
    """What the methods say of one clip.

    Attributes:
      name: The clip's name.
      spectrum: "IR" or "TV"; "FUSED" for a scene in both.
      label: The true class, -1 where it is not known.
      target: The explained class.
      clip: (T, H, W, C), in [0, 1]; of a scene that of every spectrum, by name.
      probabilities: Of all classes, (K,); of no and yes where the network has a single logit.
      maps: By method, (T', H, W); the controls among them. Of a scene that of every spectrum, by name.
      curves: By method, (deletion, insertion).
      seconds: By method, what its map took.
      options: How the clip was explained.
      baselines: By measure, "deletion" and "insertion": what replaced removed voxels; broadcasts to the clip.
      measures: By method, what further measures say of its map, by name; of a scene among them the areas of curves
        over one spectrum alone, as "deletion_IR".
      ledger: RISE's scores, for maps of other classes and standard errors; None where RISE was not run.
      shares: Of a scene, how the decision splits into infrared, visible and their interaction; None where the method
        "shapley" was not run.
      classes: Names of the classes, in the order of `probabilities`; their numbers where they have none.
      actor: Who is seen; empty where that is not known.
      against: The class that the explained one is told from; None where it is explained by itself.
      times: When each frame was taken, in seconds of the recording, (T,); None where that is not known.
      score: Name of the function of the logits that is explained in the place of a class; `target` is then the
        predicted class. Empty where a class is explained.
      excerpts: By spectrum, which frames of which recording the clip consists of, for the player; empty where that is
        not known.
    """

    name: str
    spectrum: str
    label: int
    target: int
    clip: PyTree
    probabilities: Float[AnyArray, " K"]
    maps: Mapping[str, Any]
    curves: Mapping[str, tuple[Curve, Curve]]
    seconds: Mapping[str, float]
    options: ExplainOptions
    baselines: Mapping[str, Any]
    measures: Mapping[str, Mapping[str, float]] = {}
    ledger: RiseLedger | None = None
    shares: SpectrumShares | None = None
    classes: tuple[str, ...] = ()
    actor: str = ""
    times: Float[np.ndarray, " T"] | None = None
    against: int | None = None
    score: str = ""
    excerpts: Mapping[str, Excerpt] = {}

    @property
    def prediction(self) -> str:
        """The most probable class, by name; its number as a text where classes have no names."""
        return self.class_name(int(np.argmax(self.probabilities)))

    @property
    def settled(self) -> Settled | None:
        """How far RISE's masks settle the order of its most salient cells, with `num_masks="settled"`; else None.

        None, too, where a function of the logits is explained.
        """
        if self.ledger is None or self.score:
            return None
        options = dataclasses.replace(self.options.resolve("rise"), scores=self.ledger.options.scores)
        return settled_so_far(self.ledger.scores, self._explained, options)

    @property
    def undecided(self) -> Any:
        """Where RISE's masks do not tell whether its map is above or below the mean, see `jaxsal.saliency.settled`.

        True there, (T', H, W); of a scene for every spectrum, by name. None without RISE, with masks that depend on
        each other, and where a function of the logits is explained.
        """
        if self.ledger is None or not self.ledger.has_stderr or self.score:
            return None
        return undecided(self.ledger, self._explained, level=1 - self.options.resolve("rise").confidence)

    @property
    def _explained(self) -> int | Contrast:
        return self.target if self.against is None else Contrast(self.target, self.against)

    @property
    def target_name(self) -> str:
        """The explained class, by name, and the class that it is told from; or the function that is explained."""
        if self.score:
            return self.score
        against = "" if self.against is None else f" against {self.class_name(self.against)}"
        return self.class_name(self.target) + against

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    @check_kinds
    def plot(self, *, num_frames: int = 8, undecided: bool | None = None) -> "Figure":
        """Draws the clip and every map over it, frame by frame.

        Args:
          num_frames: Frames to show at most, evenly spaced.
          undecided: Whether RISE's map is hatched where its masks do not tell whether it is above or below its mean;
            if None, with `num_masks="settled"`.

        Returns:
          The figure, which a notebook shows; `.savefig(path)` writes it. `jaxsal.view(explanation)` is the player.

        Raises:
          MissingPackageError: If Matplotlib is not installed.
          ValueError: If `undecided` is True and the explanation has no map of RISE by independent masks.
        """
        return frames_figure(self, num_frames, undecided)

    def plot_curves(self) -> "Figure":
        """Draws the deletion and the insertion curve of every method; errors as `plot`."""
        return draw_curves(curve_panels([self]), title=heading(self))

    def to_xarray(self) -> "xarray.Dataset":
        """Everything with labels.

        Returns:
          `frames` (time, row, column, channel), the clip; `saliency` (map, time, row, column); `probability` (class);
          and for each measure its scores, such as `deletion` (map, deletion_step), with the coordinate
          `deletion_fraction` and the area `deletion_auc`. Time is in seconds of the recording where they are known,
          else in frames. Where frames share maps in segments, `saliency` has `map_time`, the middle of each segment.

        Raises:
          MissingPackageError: If xarray is not installed.
        """
        return as_dataset(self)

    def class_name(self, number: int) -> str:
        """A class by its name; its number as a text where classes have no names."""
        return self.classes[number] if self.classes else str(number)

    @check_kinds
    def most_probable(self, count: int) -> list[tuple[int, float]]:
        """The most probable classes with their probabilities, best first; ValueError if `count` is below 1."""
        check_positive("count", count)
        order = np.argsort(-self.probabilities)[:count]
        return [(int(k), float(self.probabilities[k])) for k in order]

    def results(self) -> list[ClipResult]:
        """One row of the table of results per method."""
        return [
            ClipResult(
                clip=self.name,
                spectrum=self.spectrum,
                method=method,
                label=self.label,
                target=self.target,
                deletion=float(removed.auc),
                insertion=float(shown.auc),
                floor=float(removed.floor),
                start=float(shown.floor),
                seconds=self.seconds[method],
                actor=self.actor,
                measures={name: v for name, v in self.measures.get(method, {}).items() if name not in MEASURES},
            )
            for method, (removed, shown) in self.curves.items()
        ]
