"""Which spectrum, when and where: what infrared, the visible spectrum and both together add to a score."""

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from jaxsal.core.checks import check_chunk_size, check_seed
from jaxsal.core.kinds import check_kinds
from jaxsal.core.progress import as_progress
from jaxsal.core.types import ClipTree, Progress, ScoreFn, Target
from jaxsal.datasets.records import SPECTRA
from jaxsal.engine.baselines import Baseline
from jaxsal.engine.batch import prepare
from jaxsal.engine.chunks import in_chunks
from jaxsal.engine.class_scores import of_classifier, predicted_class
from jaxsal.engine.coalitions import Coalitions
from jaxsal.engine.requests import Scores, score_requests
from jaxsal.recipes import Baseline as BaselineChoice, ChunkSize, ScoreKind
from jaxsal.recipes.further import ShapleyOptions
from jaxsal.saliency.readout import explained_scores
from jaxsal.saliency.shapley import METHOD, masks
from jaxsal.saliency.shapley_values import ShapleyValues, spectra_values
from jaxsal.saliency.spectrum_shares import Cells, Estimate, SpectrumShares


@check_kinds
def spectrum_shares(
    score_fn: ScoreFn,
    scene: ClipTree,
    target: Target = None,
    *,
    grid_shape: tuple[int, int, int] = (4, 1, 1),
    num_masks: int = 1000,
    pairs: bool = False,
    baseline: BaselineChoice = "mean",
    scores: ScoreKind = "probabilities",
    seed: int = 0,
    chunk_size: ChunkSize = "auto",
    progress: Progress | bool | None = None,
) -> SpectrumShares:
    """Splits a decision on a scene into infrared, visible and their interaction, over time and space.

    The players are cells of either spectrum. The worth of a coalition is the score of the scene whose other cells are
    replaced. See `SpectrumShares` for the split, `jaxsal.saliency.shapley_values.spectra_values` for what a cell gets.

    Args:
      score_fn: Maps a scene {"IR": clip, "TV": clip} to logits (K,).
      scene: The scene, values in [0, 1].
      target: The class, by number or name, or a function of the logits (K,); the predicted class if None.
      grid_shape: Cells of either spectrum in time, height and width; (1, 1, 1) gives the split alone, by two passes
        beside the scene's own and that of the replaced one.
      num_masks: Coalitions to score at most: every one where they fit, which makes all values exact; otherwise as many
        random orders of the cells as fit, at least four.
      pairs: Whether `interactions` are sampled, too, where not every coalition is scored; an order then has (n + 1)^2
        coalitions for n cells of a spectrum, not 2 n - 1.
      baseline: What stands in for cells that are not shown, a name of `jaxsal.engine.baselines` or an array; also one
        for each spectrum. "mean" is what `jaxsal train` shows in place of a dropped spectrum.
      scores: The scores, "probabilities", "softmax", "sigmoid", "logits" or "given", as for `jaxsal.rise`.
      seed: Of the orders, 0 to 4294967295.
      chunk_size: Coalitions in memory at once; changes speed, not the result. "auto" as for `jaxsal.rise`.
      progress: Called with (coalitions done, coalitions in all) now and then; True shows a bar, or lines in a log.

    Returns:
      The split, with what every cell adds.

    Raises:
      TypeError: If an argument is of the wrong kind.
      ValueError: If the scene is not of infrared and visible clips, or an option's value is not allowed.

    Example:
      >>> import jax.numpy as jnp, jaxsal
      >>> score_fn = lambda scene: jnp.stack([3 * scene["IR"].mean() + scene["TV"][:2].mean(), 0.0])
      >>> scene = {"IR": jnp.ones((4, 8, 8, 1)), "TV": jnp.ones((4, 8, 8, 3))}
      >>> shares = jaxsal.spectrum_shares(score_fn, scene, 0, scores="logits")
      >>> shares
      SpectrumShares(infrared 75 %, visible 25 %, interaction 0 %, of the score's way from 0 to 4)
      >>> shares.values["TV"].ravel().round(2).tolist()
      [0.5, 0.5, 0.0, 0.0]
    """
    options: ShapleyOptions = of_classifier(ShapleyOptions(num_masks, grid_shape, pairs, scores, baseline), score_fn)
    check_seed(seed)
    check_chunk_size(chunk_size)
    batch = prepare(score_fn, [scene])
    check_scene(batch.spectra)
    explained = batch.target(target, all_classes=False)
    batch.check_logits()
    families, requests = masks(batch, options, batch.shape, seed)
    report = as_progress(progress, METHOD.title, "coalitions")

    def score(chunk_size: int) -> list[Scores]:
        return score_requests(
            batch, families, requests, baseline=Baseline.of(baseline), chunk_size=chunk_size, progress=report
        )

    (found,) = in_chunks(chunk_size, "shapley", batch, score)
    return read_shares(found, explained, options)


def check_scene(spectra: tuple[str, ...]) -> None:
    """Raises ValueError unless the spectra are infrared and visible."""
    if spectra != SPECTRA:
        raise ValueError(
            f"`scene` must be of the spectra {SPECTRA}, {{'IR': clip, 'TV': clip}}; got {spectra or 'one'}."
        )


def read_shares(scores: Scores, target: Target, options: ShapleyOptions) -> SpectrumShares:
    """The shares of a scene from the scores of the method "shapley"; of the predicted class if `target` is None."""
    family = scores.family
    assert isinstance(family, Coalitions)
    assert not isinstance(target, str)
    explained = predicted_class(scores.clip_logits, options.scores) if target is None else target
    worths = explained_scores(scores, explained, options.scores)[1][:, 0].astype(np.float64)
    members, orders = np.asarray(family.members), None if family.orders is None else np.asarray(family.orders)
    found = spectra_values(worths, orders)
    pairs, size = found.interactions, members.shape[1] // 2
    at = {name: worths[row] for name, row in _corners(members).items()}
    return SpectrumShares(
        infrared=float(at["IR"] - at["nothing"]),
        visible=float(at["TV"] - at["nothing"]),
        interaction=float(at["both"] - at["IR"] - at["TV"] + at["nothing"]),
        worths={name: float(worth) for name, worth in at.items()},
        alone=_estimate(found.alone, options.grid_shape),
        shared=_estimate(found.shared, options.grid_shape),
        when=_estimate(_by_moment(found.values, options.grid_shape), options.grid_shape[:1]),
        interactions=None if pairs is None else pairs.values.reshape(size, size),
        interactions_error=None if pairs is None else half_width(pairs).reshape(size, size),
        cells=np.asarray(family.players)[0],
        num_coalitions=len(np.unique(members, axis=0)),
        exact=orders is None,
    )


def _corners(members: np.ndarray) -> dict[str, int]:
    """A coalition of nobody, of all cells of either spectrum, and of everybody, by its number."""
    infrared, visible = np.array_split(members, 2, axis=1)
    rows = {"nothing": (False, False), "IR": (True, False), "TV": (False, True), "both": (True, True)}
    return {
        name: int(np.argmax((infrared == has[0]).all(axis=1) & (visible == has[1]).all(axis=1)))
        for name, has in rows.items()
    }


def _by_moment(found: ShapleyValues, grid_shape: tuple[int, int, int]) -> ShapleyValues:
    """The values of all cells of a moment together."""
    length = 2 * grid_shape[0]
    return ShapleyValues.of(found.samples.reshape(len(found.samples), length, -1).sum(axis=-1))


def _estimate(found: ShapleyValues, grid_shape: tuple[int, ...]) -> Estimate:
    def by_spectrum(values: Float[np.ndarray, " P"]) -> Cells:
        return dict(zip(SPECTRA, values.reshape(2, *grid_shape), strict=True))

    return Estimate(by_spectrum(found.values), by_spectrum(half_width(found)))


def half_width(found: ShapleyValues) -> Float[np.ndarray, " P"]:
    """Half the width of the 95 % intervals; 0 where values are exact."""
    freedom = len(found.samples) - 1
    return found.stderr * (stdtrit(freedom, 0.975) if freedom else 0)
