"""The masks that RISE draws under its options, and the options that do not change them."""

import jax
from jaxtyping import PRNGKeyArray

from jaxsal.engine.rise_masks import RiseMasks
from jaxsal.recipes import RiseOptions

READ_OPTIONS = ("num_masks", "estimator", "scores", "settled_cells", "confidence", "most_masks")
"""Options that change what is read out of the scores, not the scores."""


def rise_family(key: PRNGKeyArray, shape: tuple[int, ...], options: RiseOptions) -> RiseMasks:
    """The masks (T', H, W), or (S, T', H, W) of a scene, that RISE draws with a key under some options.

    Raises:
      ValueError: If `sampling` is "sobol" for a scene, whose spectra would share the points of one sequence.
    """
    of_scene = len(shape) == 4
    if of_scene and options.sampling == "sobol":
        raise ValueError(
            "`sampling` must be 'independent' or 'stratified' for a scene in several spectra; got 'sobol'."
        )
    return RiseMasks.draw(
        jax.random.split(key, shape[0]) if of_scene else key,
        options.most,
        float(options.keep_prob),
        (shape[-3], shape[-2], shape[-1]),
        options.grid_shape,
        alignment=options.alignment,
        temporal_cell=options.temporal_cell,
        sampling=options.sampling,
    )
