"""A batch: clips of one shape for one classifier, checked once, stacked once, put on the devices once.

Everything below a batch trusts it. What the classifier says of the untouched clips and of the fully replaced ones,
and its activations, are computed at most once, when somebody asks.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxsal.core.callables import SplitCallable, call_each, call_parts_each, join_callable, split_callable
from jaxsal.core.devices import (
    clip_mesh,
    copies_on_every_device,
    device_mesh,
    on_every_device,
    on_this_device,
    split_axis,
    view_of,
)
from jaxsal.core.fingerprints import fingerprint, weights_fingerprint
from jaxsal.core.finite import check_logits
from jaxsal.core.types import AnyArray, ClipTree, OneTarget, ScoreFn, Target
from jaxsal.engine.baselines import Baseline, stand_ins
from jaxsal.engine.classifiers import check_parts, check_score_fn, has_parts, looked_at, mask_shape
from jaxsal.engine.inputs import check_clip_shape, check_unit_range
from jaxsal.engine.masks import stack_leaves
from jaxsal.engine.spectra import by_spectrum, spectra_of
from jaxsal.engine.targets import check_target

UNTOUCHED, REPLACED = 1, 2
"""The two ends of every perturbation: the clip as it is, and a clip of which nothing is left."""

End = int | tuple[int, Baseline]
"""`UNTOUCHED`, or (`REPLACED`, the baseline)."""


class Batch:
    """B clips of one shape, for one classifier.

    Attributes:
      score_fn: Maps one clip to logits (K,).
      clips: The clips with a leading axis B, one array or one per spectrum.
      originals: The clips that were asked for, as they came; the others fill up the programs' shapes.
      size: B.
      num_classes: K.
      clip_shape: (T, H, W, C) of a clip; of a scene, of its first spectrum.
      spectra: Of scenes, in the order of their names; none of clips that are one array.
      shape: (T', H, W) of masks and maps; of scenes (S, T', H, W).
      count: Called with a number of forward passes when they are made.
    """

    def __init__(
        self,
        score_fn: ScoreFn,
        clips: PyTree,
        originals: Sequence[ClipTree],
        count: Callable[[int], None],
        name: str = "score_fn",
    ):
        """Takes stacked clips that were checked, and the clips as they came, see `prepare`."""
        self.score_fn, self.clips, self.originals = score_fn, clips, tuple(originals)
        self.count = count
        self.num_classes = check_score_fn(score_fn, clips, name)
        self.size, *clip_shape = jax.tree.leaves(clips)[0].shape
        self.clip_shape = tuple(clip_shape)
        self.spectra = spectra_of(clips)
        self.shape = mask_shape(score_fn, self.clip_shape, len(self.spectra))
        self.split = split_callable(score_fn)
        leaves = jax.tree.leaves((clips, self.split.arrays))
        self.traced = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
        self._placed: dict[Mesh, tuple[list[AnyArray], PyTree]] = {}
        self._activations: dict[tuple[str | None, str | None], PyTree] = {}
        self._ends: dict[End, tuple[np.ndarray, AnyArray]] = {}
        self._stand_ins: dict[tuple[Baseline, Mesh], PyTree] = {}

    def placed(self, mesh: Mesh) -> tuple[list[AnyArray], PyTree]:
        """The weights and the clips on every device of a mesh; each is sent there once."""
        if self.traced:
            return self.split.arrays, self.clips
        if mesh not in self._placed:
            held = [other for other in self._placed if set(mesh.devices.flat) <= set(other.devices.flat)]
            if held:
                self._placed[mesh] = view_of(self._placed[held[0]], mesh)
            else:
                if mesh.size == 1:
                    self._placed[mesh] = on_this_device((self.split.arrays, self.clips), mesh)
                else:
                    weights = copies_on_every_device(self.split.arrays, mesh)
                    self._placed[mesh] = weights, on_every_device(self.clips, mesh)
                self.clips = self._placed[mesh][1]
        return self._placed[mesh]

    def each(
        self,
        program: Callable[..., Any],
        *rows: PyTree,
        static: tuple[Hashable, ...] = (),
        split: SplitCallable | None = None,
    ) -> PyTree:
        """Runs program(weights, clips, *rows, static part, *static), which has a row for each clip.

        Rows are laid over the devices of this process. Results stay there.

        Args:
          program: Compiled.
          *rows: Further arrays, (B, ...) each.
          static: Further static arguments.
          split: The callable to run instead of `score_fn`, taken apart.
        """
        fixed = self.split.static if split is None else split.static
        if self.traced:
            return program(self.split.arrays if split is None else split.arrays, self.clips, *rows, fixed, *static)
        mesh = clip_mesh(self.size)
        weights, clips = self.placed(mesh)
        if split is not None:
            weights = copies_on_every_device(split.arrays, mesh)
        rows = (clips, *rows)
        return program(weights, *(rows if mesh.size == 1 else split_axis(rows, mesh)), fixed, *static)

    def activations(self, normalization: str | None = None, layer: str | None = None) -> PyTree:
        """The activations of a layer, or those that enter the head, (B, t, h, w, d), or one for each spectrum.

        They are those under the classifier's own normalisation, or under the one of that name.
        """
        kind = normalization, layer
        if kind == (None, None) and self.parts is None:
            self.learn_parts(*self.each(call_parts_each))
        elif kind not in self._activations:
            classifier = looked_at(self.score_fn, layer)
            other = classifier if normalization is None else classifier.with_normalization(normalization)
            self._activations[kind], _ = self.each(call_parts_each, split=split_callable(other))
            self.count(len(self.originals))
        return self._activations[kind]

    def split_at(self, layer: str | None) -> SplitCallable | None:
        """The classifier looked at in a layer, taken apart for `each`; None for `score_fn` as it is."""
        return None if layer is None else split_callable(looked_at(self.score_fn, layer))

    @property
    def parts(self) -> PyTree | None:
        """The activations under the classifier's own normalisation, if they are known already."""
        return self._activations.get((None, None))

    def learn_parts(self, activations: PyTree, logits: Float[Array, "B K"]) -> None:
        """Keeps what a pass of all clips gave."""
        self._activations[None, None] = activations
        self.count(len(self.originals))
        if not self.knows(UNTOUCHED).all():
            self.learn(UNTOUCHED, None, logits)

    def check_parts(self, method: str, layer: str | None = None) -> None:
        """Raises TypeError or ValueError unless the classifier has features and a head, or the layer, for `method`."""
        check_parts(looked_at(self.score_fn, layer), self.clips, method)

    @property
    def logits(self) -> Float[AnyArray, "B K"]:
        """Of the untouched clips, float32, on the host."""
        if not self.knows(UNTOUCHED).all():
            if has_parts(self.score_fn):  # the activations come with the same pass
                self.activations()
            else:
                self.learn(UNTOUCHED, None, self.each(call_each))
                self.count(len(self.originals))
        return self.end(UNTOUCHED)

    def check_logits(self) -> None:
        """Raises ValueError if logits of an untouched clip are not finite, naming a tensor where weights are why."""
        for number in range(0 if self.traced else len(self.originals)):
            subject = "the clip" if len(self.originals) == 1 else f"clip {number}"
            check_logits(self.logits[number], subject, self.score_fn)

    def knows(self, end: End) -> Bool[np.ndarray, " B"]:
        """Of which clips the logits at an end are known: `UNTOUCHED`, or (`REPLACED`, the baseline)."""
        return self._ends[end][0] if end in self._ends else np.zeros(self.size, bool)

    def end(self, end: End) -> Float[AnyArray, "B K"]:
        """The logits at an end, where they are known."""
        known, logits = self._ends[end]
        if not isinstance(logits, jax.core.Tracer):
            self._ends[end] = known, np.asarray(logits, np.float32)
        return self._ends[end][1]

    def learn(
        self, end: End, rows: slice | Sequence[int] | Int[np.ndarray, " _"] | None, logits: Float[AnyArray, "... K"]
    ) -> None:
        """Keeps the logits of some clips at an end; of all for None, which stay on their device until somebody asks."""
        if rows is None:
            self._ends[end] = np.ones(self.size, bool), logits.astype(np.float32)
            return
        known = self.knows(end).copy()
        kept = self.end(end) if end in self._ends else np.zeros((self.size, self.num_classes), np.float32)
        known[rows] = True
        if isinstance(logits, jax.core.Tracer):
            kept = jnp.asarray(kept).at[rows].set(logits.astype(np.float32))
        else:
            kept = kept.copy()
            kept[rows] = np.asarray(logits, np.float32)
        self._ends[end] = known, kept

    def stand_ins(self, baseline: Baseline, mesh: Mesh | None = None) -> PyTree:
        """The fully replaced clips, shaped like `clips`, on every device of a mesh; made once for each baseline."""
        mesh = device_mesh() if mesh is None else mesh
        if (baseline, mesh) not in self._stand_ins:
            weights, clips = self.placed(mesh)
            made = stand_ins(baseline, clips, join_callable(weights, self.split.static))
            self._stand_ins[baseline, mesh] = made if self.traced else on_every_device(made, mesh)
        return self._stand_ins[baseline, mesh]

    def by_spectrum(self, maps: AnyArray) -> PyTree:
        """Maps of one clip as users get them: of a scene one for each spectrum, by name."""
        return by_spectrum(maps, self.spectra)

    def target(self, target: Target, *, all_classes: bool = True) -> OneTarget | Literal["all"] | None:
        """A class by number or name as a number, a function of the logits as it is, see `check_target`."""
        classes = getattr(self.score_fn, "classes", ())
        return check_target(target, self.num_classes, classes=classes, all_classes=all_classes)

    @property
    def weights(self) -> str | None:
        """Fingerprint of the classifier's weights; None where there are none."""
        return weights_fingerprint(self.score_fn)

    def fingerprint(self, number: int) -> str:
        """Fingerprint of a clip."""
        return fingerprint(check_clip_shape(self.originals[number]))


def prepare(
    score_fn: ScoreFn,
    clips: Sequence[ClipTree],
    *,
    size: int | None = None,
    count: Callable[[int], None] = lambda passes: None,
    name: str = "score_fn",
) -> Batch:
    """A batch of clips, after checking them and the function that scores them.

    Args:
      score_fn: Maps one clip to logits (K,).
      clips: B clips of one shape, values in [0, 1].
      size: The clips that programs are made for; fewer, as at the end of many, are filled up with copies of the last
        one, so that nothing is compiled again.
      count: Called with a number of forward passes when they are made, filling clips left out.
      name: What messages call `score_fn`.

    Raises:
      TypeError: If a clip holds no floats, or `score_fn` cannot be called.
      ValueError: If a clip's shape or values are not allowed, the shapes differ, or `score_fn` gives no vector.
    """
    checked = [check_clip_shape(clip, score_fn) for clip in clips]
    shapes = {tuple(leaf.shape for leaf in jax.tree.leaves(clip)) for clip in checked}
    if len(shapes) > 1:
        raise ValueError(f"`clips` must be of one shape; got {sorted(shapes)}.")
    filled = max(len(checked), size or 0)
    filled += -filled % clip_mesh(filled).size
    rows = [*checked, *checked[-1:] * (filled - len(checked))]
    stacked = jax.tree.map(lambda *leaves: stack_leaves(leaves), *rows)
    for leaf in jax.tree.leaves(stacked):
        check_unit_range("clip", leaf)
    return Batch(score_fn, stacked, clips, count, name)
