"""The score ledger: what a RISE run leaves. Every map is a read-out of it, without another forward pass."""

import dataclasses
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from jaxsal.callables import call, split_callable
from jaxsal.checks import check_choice
from jaxsal.files import write_atomically
from jaxsal.fingerprints import fingerprint
from jaxsal.inputs import check_clip, check_target
from jaxsal.masks import RiseMasks
from jaxsal.recipes import Estimator, RiseOptions, ScoreKind
from jaxsal.saliency.readout import rise_map, rise_profile_stderr, rise_stderr
from jaxsal.scoring import Progress, score_masks, whole_batches
from jaxsal.types import Clip, ScoreFn, Target

_ARRAYS = ("key_data", "clip_logits", "ids", "logits")
_IDENTITY = ("key", "shape", "clip", "options")
_SAVE_EVERY_CHUNKS = 64


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

    @property
    def masks(self) -> RiseMasks:
        """The family that the scored masks are from."""
        options = self.options
        return RiseMasks(
            key=jax.random.wrap_key_data(jnp.asarray(self.key_data), impl="threefry2x32"),
            num_masks=options.num_masks,
            keep_prob=float(options.keep_prob),
            shape=self.shape,
            grid_shape=options.grid_shape,
            alignment=options.alignment,
            temporal_cell=options.temporal_cell,
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
        """The standard error of `map` at every voxel, or of its mean over each frame; arguments as there."""
        return self._read(rise_profile_stderr if per_frame else rise_stderr, target, estimator, num_masks, scores)

    def _read(self, read_out: Any, target: Target, estimator: Any, num_masks: int | None, scores: Any) -> Array:
        estimator = self.options.estimator if estimator is None else estimator
        scores = self.options.scores if scores is None else scores
        check_choice("estimator", estimator, ("mean", "centered"))
        check_choice("scores", scores, ("probabilities", "logits"))
        target = check_target(target, self.logits.shape[1])
        used = np.ones(len(self.ids), bool)
        if num_masks is not None:
            used = self.ids < num_masks
            if num_masks < 1 or used.sum() != num_masks:
                raise ValueError(f"`num_masks` must be from 1 to the {len(self.ids)} scored; got {num_masks}.")
        weights = jnp.asarray(self.logits)
        if scores == "probabilities":
            weights = jax.nn.softmax(weights, axis=-1)
        if target != "all":
            target = int(np.argmax(self.clip_logits)) if target is None else target
            weights = weights[:, [target]]
        maps = read_out(self.masks, jnp.asarray(self.ids), weights, jnp.asarray(used), estimator)
        return maps if target == "all" else maps[0]

    def merge(self, other: "RiseLedger") -> "RiseLedger":
        """One ledger with the masks of both; where both hold a mask, this one's score is taken.

        Raises:
          ValueError: If the two are not of the same clip, key, masks, scoring and classifier.
        """
        for name, mine, theirs in zip(_IDENTITY, self.identity(), other.identity(), strict=True):
            if mine != theirs:
                raise ValueError(f"`other` must have the same {name}; got {theirs} instead of {mine}.")
        same = self.clip_logits.shape == other.clip_logits.shape
        if not same or not np.allclose(self.clip_logits, other.clip_logits, rtol=1e-3, atol=1e-4):
            raise ValueError(
                f"`other` must be of the same classifier; got logits {other.clip_logits} of the clip instead of "
                f"{self.clip_logits}."
            )
        ids, first = np.unique(np.concatenate([self.ids, other.ids]), return_index=True)
        logits = np.concatenate([self.logits, other.logits])[first]
        options = dataclasses.replace(self.options, num_masks=max(self.options.num_masks, other.options.num_masks))
        return dataclasses.replace(self, ids=ids, logits=logits, options=options)

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
          path: Where to save it as it grows, if anywhere.
          chunk_size: Masks in memory at once; changes speed, not the result.
          progress: Called with (masks done, masks in all) now and then.

        Raises:
          ValueError: If the clip or the classifier is another one.
        """
        clip = check_clip(clip, score_fn)
        if fingerprint(clip) != self.clip_fingerprint:
            raise ValueError("`clip` must be the one that the ledger is of; got another.")
        options = dataclasses.replace(self.options, num_masks=max(num_masks, self.options.num_masks))
        found = clip_logits(score_fn, clip)
        none = np.zeros((0, len(found)), np.float32)
        empty = dataclasses.replace(self, clip_logits=found, options=options, ids=self.ids[:0], logits=none)
        ledger = self.merge(empty)
        wanted, batch_size = np.arange(num_masks, dtype=np.int32), options.batch_size
        if batch_size is not None and not np.isin(wanted, self.ids).all():
            whole = whole_batches(self.ids, batch_size)  # the scores of other batches change with what fills them
            ledger = dataclasses.replace(ledger, ids=self.ids[whole], logits=self.logits[whole])
        missing = np.setdiff1d(wanted, ledger.ids)
        portion = max(len(missing), 1) if path is None else _SAVE_EVERY_CHUNKS * (batch_size or chunk_size)
        for start in range(0, len(missing), portion):
            ids = missing[start : start + portion]
            scores = score_masks(
                score_fn,
                clip,
                self.masks,
                ids=ids,
                baseline=self.options.baseline,
                frame_slices=self.options.frame_slices,
                batch_size=batch_size,
                chunk_size=chunk_size,
                progress=_shifted(progress, num_masks - len(missing) + start, num_masks),
            )
            ledger = ledger.merge(dataclasses.replace(self, ids=ids, logits=np.asarray(scores, np.float32)))
            if path is not None:
                ledger.save(path)
        return ledger

    def save(self, path: str | Path) -> None:
        """Writes the ledger to one file, whole or not at all."""
        options = dataclasses.asdict(self.options)
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        if not isinstance(self.options.baseline, str):
            options["baseline"] = None
            arrays["baseline"] = np.asarray(self.options.baseline)
        header = dict(shape=self.shape, options=options, clip_fingerprint=self.clip_fingerprint)
        with write_atomically(path) as file:
            np.savez(file, header=np.array(json.dumps(header)), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "RiseLedger":
        """Reads a ledger that `save` wrote.

        Raises:
          FileNotFoundError: If there is no such file.
          ValueError: If the file is no ledger, or is damaged.
        """
        try:
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                header = json.loads(str(file["header"]))
                arrays = {name: file[name] for name in _ARRAYS}
                options = header["options"]
                if options["baseline"] is None:
                    options["baseline"] = file["baseline"]
            options["grid_shape"] = tuple(options["grid_shape"])
            return cls(
                shape=tuple(header["shape"]),
                options=RiseOptions(**options),
                clip_fingerprint=header["clip_fingerprint"],
                **arrays,
            )
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError) as error:
            raise ValueError(f"`path` must be a whole ledger; got {path} ({error}).") from error


def _shifted(progress: Progress | None, done_before: int, total: int) -> Progress | None:
    """Progress of a portion as progress of the whole."""
    if progress is None:
        return None
    return lambda done, _: progress(done_before + done, total)
