"""The score ledger: what a RISE run leaves. Every map is a read-out of it, without another forward pass."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import jax
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from jaxsal.core.checks import check_choice, check_chunk_size, check_integer, check_positive
from jaxsal.core.fingerprints import fingerprint
from jaxsal.core.kinds import check_kinds
from jaxsal.core.progress import as_progress
from jaxsal.core.types import ClipTree, Progress, SaliencyOf, ScoreFn, Target
from jaxsal.engine.batch import Batch, prepare
from jaxsal.engine.chunks import in_chunks
from jaxsal.engine.requests import Scores, join_logits
from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.engine.spectra import by_spectrum
from jaxsal.engine.targets import check_target
from jaxsal.recipes import ChunkSize, Estimator, RiseOptions, ScoreKind
from jaxsal.saliency.growth import grow
from jaxsal.saliency.ledger_file import read_fields, write_ledger
from jaxsal.saliency.ledger_views import LedgerViews
from jaxsal.saliency.readout import read_ledger, rise_contrast_stderr, rise_map, rise_profile_stderr, rise_stderr
from jaxsal.saliency.rise_family import READ_OPTIONS, rise_family

_IDENTITY = ("key", "shape", "clip", "options")
_CLASSIFIER = ("precision", "weights")


@dataclass(frozen=True, eq=False, repr=False)
class RiseLedger(LedgerViews):
    """Scores of numbered RISE masks, with everything that determines the masks; some kB, whatever the clip's size.

    Attributes:
      key_data: The raw random key, (2,).
      shape: (T', H, W) of masks and maps; of a scene (S, T', H, W).
      options: What the masks were drawn and scored with; `estimator` and `scores` are read-out defaults.
      clip_fingerprint: SHA-256 of the clip.
      clip_logits: Logits of the untouched clip, (K,).
      ids: Numbers of the scored masks, ascending, (N,).
      logits: Logits of the clip under them, (N, K).
      precision: Of the classifier, if it has one.
      weights: What tells the classifier's weights from others; None where there are none, as in a plain function,
        and in files of before this was kept.
      classes: Names of the classes, as far as the classifier knows them.
      spectra: Of a scene, in the order of `shape`; none of a clip that is one array.

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
    shape: tuple[int, ...]
    options: RiseOptions
    clip_fingerprint: str
    clip_logits: Float[np.ndarray, " K"]
    ids: Int[np.ndarray, " N"]
    logits: Float[np.ndarray, "N K"]
    precision: str | None = None
    weights: str | None = None
    classes: tuple[str, ...] = ()
    spectra: tuple[str, ...] = ()

    @property
    def masks(self) -> RiseMasks:
        """The family that the scored masks are from."""
        key = jax.random.wrap_key_data(jax.device_put(self.key_data), impl="threefry2x32")
        return rise_family(key, self.shape, self.options)

    @property
    def scores(self) -> Scores:
        """The scored masks, as read-outs take them."""
        return Scores(self.masks, self.ids, self.logits, self.clip_logits)

    @check_kinds
    def map(
        self,
        target: Target = None,
        *,
        estimator: Estimator | None = None,
        num_masks: int | None = None,
        scores: ScoreKind | None = None,
    ) -> SaliencyOf:
        """The RISE map of a class, from the first `num_masks` masks; of a scene one for each spectrum, by name.

        Args:
          target: The class, by number or name, or a function of the logits; the predicted class if None; "all" for one
            map per class.
          estimator: "mean", "centered" or "ridge"; as the run's options if None.
          num_masks: How many masks to use, in the order of their numbers; all if None.
          scores: What weighs the masks, as for `jaxsal.rise`; as the run's options if None.

        Raises:
          ValueError: If an argument is not allowed, or the ledger does not hold the wanted masks.
        """
        return by_spectrum(self._read(rise_map, target, estimator, num_masks, scores), self.spectra)

    @check_kinds
    def stderr(
        self,
        target: Target = None,
        *,
        estimator: Estimator | None = None,
        num_masks: int | None = None,
        scores: ScoreKind | None = None,
        per_frame: bool = False,
        contrast: bool = False,
    ) -> Float[Array, "..."] | dict[str, Float[Array, "..."]]:
        """The standard error of `map` at every voxel; with `per_frame` of each frame's mean, (T',); arguments as there.

        With `contrast` it is of each frame's mean minus the mean over all frames, (T',): how sure differences between
        frames are. It is far smaller, since the errors of frames are nearly equal.

        Raises:
          ValueError: As `map`, unless the masks were drawn independently of each other, and for "ridge".
        """
        if (estimator or self.options.estimator) == "ridge":
            raise ValueError("`estimator` must be 'mean' or 'centered' for a standard error; got 'ridge'.")
        if self.options.sampling != "independent":
            raise ValueError(
                f"`sampling` must be 'independent' for a standard error, which takes each mask as drawn by itself; "
                f"got {self.options.sampling!r}."
            )
        read_out = rise_contrast_stderr if contrast else rise_profile_stderr if per_frame else rise_stderr
        axis = -2 if contrast or per_frame else -4
        return by_spectrum(self._read(read_out, target, estimator, num_masks, scores), self.spectra, axis)

    def _read(
        self,
        read_out: Callable[..., Array],
        target: Target,
        estimator: Estimator | None,
        num_masks: int | None,
        scores: ScoreKind | None,
    ) -> Array:
        estimator = self.options.estimator if estimator is None else estimator
        scores = self.options.scores if scores is None else scores
        check_choice("estimator", estimator, get_args(Estimator))
        dataclasses.replace(self.options, estimator=estimator)  # which checks that it fits the grid
        check_choice("scores", scores, get_args(ScoreKind))
        target = check_target(target, self.logits.shape[1], classes=self.classes)
        used = len(self.ids) if num_masks is None else self._count(num_masks)
        return read_ledger(read_out, self.scores, used, target, estimator, scores)

    def _count(self, num_masks: int) -> int:
        """`num_masks`, after checking that the masks from 0 on are here; ids ascend, so they come first."""
        if check_integer("num_masks", num_masks) < 1 or (self.ids < num_masks).sum() != num_masks:
            raise ValueError(f"`num_masks` must be from 1 to the {len(self.ids)} scored; got {num_masks}.")
        return num_masks

    @check_kinds
    def first(self, num_masks: int) -> "RiseLedger":
        """The ledger that a run of `num_masks` masks would have left.

        Raises:
          ValueError: If the first `num_masks` masks are not all here.
        """
        count = self._count(num_masks)
        options = dataclasses.replace(self.options, num_masks=num_masks)
        return dataclasses.replace(self, options=options, ids=self.ids[:count], logits=self.logits[:count])

    @check_kinds
    def merge(self, other: "RiseLedger") -> "RiseLedger":
        """One ledger with the masks of both; where both hold a mask, this one's score is taken.

        Raises:
          ValueError: If the two are not of the same clip, key, masks, scoring and classifier.
        """
        for name, mine, theirs in zip(_IDENTITY, self.identity(), other.identity(), strict=True):
            if mine != theirs:
                raise ValueError(f"`other` must have the same {name}; got {theirs} instead of {mine}.")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in _CLASSIFIER}
        differing = [f"{name} {b} instead of {a}" for name, (a, b) in pairs.items() if None not in (a, b) and a != b]
        same = self.clip_logits.shape == other.clip_logits.shape
        if differing or not same or not np.allclose(self.clip_logits, other.clip_logits, rtol=1e-3, atol=1e-4):
            differing.append(f"logits {other.clip_logits} of the clip instead of {self.clip_logits}")
            raise ValueError(f"`other` must be of the same classifier; got {', '.join(differing)}.")
        known = {name: getattr(other, name) for name in (*_CLASSIFIER, "classes") if not getattr(self, name)}
        ids, logits = join_logits(self.ids, self.logits, other.ids, other.logits)
        options = dataclasses.replace(self.options, num_masks=max(self.options.num_masks, other.options.num_masks))
        return dataclasses.replace(self, ids=ids, logits=logits, options=options, **known)

    def identity(self) -> tuple[Any, ...]:
        """What two ledgers must share to be parts of one run; the number of masks and the read-out may differ."""
        options = dataclasses.asdict(self.options)
        if not isinstance(self.options.baseline, str):
            options["baseline"] = fingerprint(self.options.baseline)
        for name in READ_OPTIONS:
            del options[name]
        return tuple(self.key_data.tolist()), self.shape, self.clip_fingerprint, options

    @check_kinds
    def extend(
        self,
        score_fn: ScoreFn,
        clip: ClipTree,
        num_masks: int,
        *,
        path: str | Path | None = None,
        chunk_size: ChunkSize = "auto",
        progress: Progress | bool | None = None,
    ) -> "RiseLedger":
        """A ledger grown to `num_masks` masks; existing scores are reused, except in a batch that was cut short.

        Args:
          score_fn: The function that scored the masks it holds.
          clip: The clip that it was computed for.
          num_masks: How many masks it should hold.
          path: Where to save it as it grows, every ten seconds, if anywhere.
          chunk_size: Masks in memory at once; changes speed, not the result. "auto" as for `jaxsal.rise`.
          progress: Called with (masks done, masks in all) now and then; True shows a bar, or lines in a log.

        Raises:
          ValueError: If the clip or the classifier is another one.
        """
        check_positive("num_masks", num_masks)
        check_chunk_size(chunk_size)
        batch = prepare(score_fn, [clip])
        if batch.fingerprint(0) != self.clip_fingerprint:
            raise ValueError("This ledger was computed for a different `clip`.")
        options = dataclasses.replace(self.options, num_masks=max(num_masks, self.options.num_masks))
        empty = RiseLedger.empty(batch, self.key_data, options)
        ledger = self.merge(dataclasses.replace(empty, shape=self.shape))
        report = as_progress(progress, "RISE", "masks")
        growth = partial(grow, ledger, batch, num_masks, path=path, progress=report)
        return in_chunks(chunk_size, "rise", batch, growth, passes=num_masks - len(ledger.ids))

    @classmethod
    def empty(cls, batch: Batch, key_data: UInt32[np.ndarray, "2"], options: RiseOptions) -> "RiseLedger":
        """The ledger of the clip of a batch before any mask is scored."""
        return cls(
            key_data=key_data,
            shape=batch.shape,
            options=options,
            clip_fingerprint=batch.fingerprint(0),
            clip_logits=np.asarray(batch.logits[0]),
            ids=np.zeros(0, np.int32),
            logits=np.zeros((0, batch.num_classes), np.float32),
            precision=getattr(batch.score_fn, "precision", None),
            weights=batch.weights,
            classes=tuple(getattr(batch.score_fn, "classes", ())),
            spectra=batch.spectra,
        )

    @check_kinds
    def save(self, path: str | Path) -> None:
        """Writes the ledger to one file, whole or not at all."""
        write_ledger(path, self)

    @classmethod
    @check_kinds
    def load(cls, path: str | Path) -> "RiseLedger":
        """Reads a ledger that `save` wrote.

        Raises:
          FileNotFoundError: If there is no such file.
          ValueError: If the file is no ledger, or is damaged.
        """
        return cls(**read_fields(path))
