"""The score ledger: what a RISE run leaves. Every map is a read-out of it, without another forward pass."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from jaxsal.core.callables import call, split_callable
from jaxsal.core.checks import check_choice
from jaxsal.core.fingerprints import fingerprint, weights_fingerprint
from jaxsal.core.types import Clip, Progress, ScoreFn, Target
from jaxsal.engine.inputs import check_clip, check_target
from jaxsal.engine.masks import RiseMasks
from jaxsal.recipes import Estimator, RiseOptions, ScoreKind
from jaxsal.saliency.ledger_file import read_fields, write_ledger
from jaxsal.saliency.missing import score_missing
from jaxsal.saliency.readout import read_ledger, rise_map, rise_profile_stderr, rise_stderr

_IDENTITY = ("key", "shape", "clip", "options")
_CLASSIFIER = ("precision", "weights")


def clip_logits(score_fn: ScoreFn, clip: Clip) -> Float[np.ndarray, " K"]:
    """Logits of the untouched clip, float32."""
    arrays, static = split_callable(score_fn)
    return np.asarray(call(arrays, clip, static), np.float32)


@dataclass(frozen=True, eq=False)
class RiseLedger:
    """Scores of numbered RISE masks with all that the masks came from; some kB, whatever the clip's size.

    Attributes:
      key_data: The raw random key, (2,).
      shape: (T', H, W) of masks and maps.
      options: What the masks were drawn and scored with; `estimator` and `scores` are read-out defaults.
      clip_fingerprint: SHA-256 of the clip.
      clip_logits: Logits of the untouched clip, (K,).
      ids: Numbers of the scored masks, ascending, (N,).
      logits: Logits of the clip under them, (N, K).
      precision: Of the classifier, if it has one.
      weights: What tells the classifier's weights from others; None where there are none, as in a plain function,
        and in files of before this was kept.

    Example:
      >>> import jax, jax.numpy as jnp, jaxsal, tempfile
      >>> score_fn = lambda clip: jnp.stack([clip[:1].mean(), clip[1:].mean()])
      >>> ledger = jaxsal.rise_ledger(jax.random.key(0), score_fn, jnp.ones((2, 4, 4, 3)), num_masks=16)
      >>> ledger.ids.shape, ledger.logits.shape, ledger.masks.shape
      ((16,), (16, 2), (2, 4, 4))
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     ledger.save(f"{folder}/clip.npz")
      ...     again = jaxsal.RiseLedger.load(f"{folder}/clip.npz")
      >>> bool((again.map(1) == ledger.map(1)).all()), len(again.merge(ledger).ids)
      (True, 16)
    """

    key_data: UInt32[np.ndarray, "2"]
    shape: tuple[int, int, int]
    options: RiseOptions
    clip_fingerprint: str
    clip_logits: Float[np.ndarray, " K"]
    ids: Int[np.ndarray, " N"]
    logits: Float[np.ndarray, "N K"]
    precision: str | None = None
    weights: str | None = None

    @property
    def masks(self) -> RiseMasks:
        """The family that the scored masks are from."""
        options = self.options
        return RiseMasks(
            key=jax.random.wrap_key_data(jax.device_put(self.key_data), impl="threefry2x32"),
            num_masks=options.num_masks,
            keep_prob=float(options.keep_prob),
            shape=self.shape,
            grid_shape=options.grid_shape,
            alignment=options.alignment,
            temporal_cell=options.temporal_cell,
            sampling=options.sampling,
        )

    def map(
        self,
        target: Target = None,
        *,
        estimator: Estimator | None = None,
        num_masks: int | None = None,
        scores: ScoreKind | None = None,
    ) -> Float[Array, "*K Tm H W"]:
        """The RISE map of a class, from the first `num_masks` masks.

        Args:
          target: The class; the predicted class if None; "all" for one map per class.
          estimator: "mean" or "centered"; as the run's options if None.
          num_masks: How many masks to use, in the order of their numbers; all if None.
          scores: "probabilities" or "logits"; as the run's options if None.

        Raises:
          ValueError: If an argument is not allowed, or the ledger does not hold the wanted masks.
        """
        return self._read(rise_map, target, estimator, num_masks, scores)

    def stderr(
        self,
        target: Target = None,
        *,
        estimator: Estimator | None = None,
        num_masks: int | None = None,
        scores: ScoreKind | None = None,
        per_frame: bool = False,
    ) -> Float[Array, "..."]:
        """The standard error of `map` at every voxel, or of its mean over each frame; arguments as there.

        Raises:
          ValueError: As `map`, and unless the masks were drawn independently of each other.
        """
        if self.options.sampling != "independent":
            raise ValueError(
                f"`sampling` must be 'independent' for a standard error, which takes each mask as drawn by itself; "
                f"got {self.options.sampling!r}."
            )
        return self._read(rise_profile_stderr if per_frame else rise_stderr, target, estimator, num_masks, scores)

    def _read(self, read_out: Any, target: Target, estimator: Any, num_masks: int | None, scores: Any) -> Array:
        estimator = self.options.estimator if estimator is None else estimator
        scores = self.options.scores if scores is None else scores
        check_choice("estimator", estimator, ("mean", "centered"))
        check_choice("scores", scores, ("probabilities", "logits"))
        target = check_target(target, self.logits.shape[1])
        if target is None:
            target = int(np.argmax(self.clip_logits))
        used = len(self.ids) if num_masks is None else self._count(num_masks)
        column: Any = None if isinstance(target, str) else target
        options: Any = dict(estimator=estimator, scores=scores)
        return read_ledger(read_out, self.masks, self.ids, self.logits, used, column, **options)

    def _count(self, num_masks: int) -> int:
        """`num_masks`, after checking that the first so many are here; ids ascend, so they come first."""
        if num_masks < 1 or (self.ids < num_masks).sum() != num_masks:
            raise ValueError(f"`num_masks` must be from 1 to the {len(self.ids)} scored; got {num_masks}.")
        return num_masks

    def first(self, num_masks: int) -> "RiseLedger":
        """The ledger that a run of so many masks would have left.

        Raises:
          ValueError: If the first `num_masks` masks are not all here.
        """
        count = self._count(num_masks)
        options = dataclasses.replace(self.options, num_masks=num_masks)
        return dataclasses.replace(self, options=options, ids=self.ids[:count], logits=self.logits[:count])

    def merge(self, other: "RiseLedger") -> "RiseLedger":
        """One ledger with the masks of both; where both hold a mask, this one's score is taken.

        Raises:
          ValueError: If the two are not of the same clip, key, masks, scoring and classifier.
        """
        for name, mine, theirs in zip(_IDENTITY, self.identity(), other.identity(), strict=True):
            if mine != theirs:
                raise ValueError(f"`other` must have the same {name}; got {theirs} instead of {mine}.")
        for name in _CLASSIFIER:
            mine, theirs = getattr(self, name), getattr(other, name)
            if None not in (mine, theirs) and mine != theirs:
                raise ValueError(
                    f"`other` must be of the same classifier; got {name} {theirs} instead of {mine}, and logits "
                    f"{other.clip_logits} of the clip instead of {self.clip_logits}."
                )
        same = self.clip_logits.shape == other.clip_logits.shape
        if not same or not np.allclose(self.clip_logits, other.clip_logits, rtol=1e-3, atol=1e-4):
            raise ValueError(
                f"`other` must be of the same classifier; got logits {other.clip_logits} of the clip instead of "
                f"{self.clip_logits}."
            )
        known = {name: getattr(other, name) for name in _CLASSIFIER if getattr(self, name) is None}
        ids, first = np.unique(np.concatenate([self.ids, other.ids]), return_index=True)
        logits = np.concatenate([self.logits, other.logits])[first]
        options = dataclasses.replace(self.options, num_masks=max(self.options.num_masks, other.options.num_masks))
        return dataclasses.replace(self, ids=ids, logits=logits, options=options, **known)

    def identity(self) -> tuple[Any, ...]:
        """What two ledgers must share to be parts of one run; the number of masks and the read-out may differ."""
        options = dataclasses.asdict(self.options)
        if not isinstance(self.options.baseline, str):
            options["baseline"] = fingerprint(self.options.baseline)
        for name in ("num_masks", "estimator", "scores"):
            del options[name]
        return tuple(self.key_data.tolist()), self.shape, self.clip_fingerprint, options

    def extend(
        self,
        score_fn: ScoreFn,
        clip: Clip,
        num_masks: int,
        *,
        path: str | Path | None = None,
        chunk_size: int = 16,
        progress: Progress | None = None,
    ) -> "RiseLedger":
        """A ledger grown to `num_masks` masks; those it holds are scored again only in a cut batch.

        Args:
          score_fn: What scored the masks it holds.
          clip: The clip it is of.
          num_masks: How many masks it should hold.
          path: Where to save it as it grows, every ten seconds, if anywhere.
          chunk_size: Masks in memory at once; changes speed, not the result.
          progress: Called with (masks done, masks in all) now and then.

        Raises:
          ValueError: If the clip or the classifier is another one.
        """
        clip = check_clip(clip, score_fn)
        if fingerprint(clip) != self.clip_fingerprint:
            raise ValueError("`clip` must be the one that the ledger is of; got another.")
        options = dataclasses.replace(self.options, num_masks=max(num_masks, self.options.num_masks))
        logits = clip_logits(score_fn, clip)
        empty = dataclasses.replace(
            self,
            options=options,
            clip_logits=logits,
            ids=self.ids[:0],
            logits=np.zeros((0, len(logits)), np.float32),
            precision=getattr(score_fn, "precision", None),
            weights=weights_fingerprint(score_fn),
        )
        ledger = self.merge(empty)
        return score_missing(ledger, score_fn, clip, num_masks, path=path, chunk_size=chunk_size, progress=progress)

    def save(self, path: str | Path) -> None:
        """Writes the ledger to one file, whole or not at all."""
        write_ledger(path, self)

    @classmethod
    def load(cls, path: str | Path) -> "RiseLedger":
        """Reads a ledger that `save` wrote.

        Raises:
          FileNotFoundError: If there is no such file.
          ValueError: If the file is no ledger, or is damaged.
        """
        return cls(**read_fields(path))
