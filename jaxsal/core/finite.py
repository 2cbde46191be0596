"""Numbers that are none: which weights, which logits."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree

from jaxsal.core.types import AnyArray


def check_weights(name: str, weights: PyTree, *, wherever: bool = False) -> None:
    """Raises ValueError that names the first tensor of `weights` with NaN or infinity in it.

    Args:
      name: What to call the tree.
      weights: Any pytree.
      wherever: Whether to fetch arrays of accelerators too; else only what the host can see is looked at.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights):
        if not hasattr(leaf, "dtype") or not jnp.issubdtype(leaf.dtype, np.floating):
            continue
        if not (wherever or on_host(leaf)):
            continue
        values = np.asarray(leaf)
        if np.isfinite(values.sum(dtype=np.float64)):
            continue
        wrong = values[~np.isfinite(values)]
        tensor = name + jax.tree_util.keystr(path)
        raise ValueError(f"`{tensor}` must be finite; got {wrong[0]} in {len(wrong):,} of {values.size:,} values.")


def check_logits(logits: Float[AnyArray, " K"], subject: str, weights: PyTree) -> None:
    """Raises ValueError if logits are not finite; it names a tensor of the weights where that is why.

    Args:
      logits: Of one clip.
      subject: What they are of, such as "the clip".
      weights: Of the classifier.
    """
    logits = np.asarray(logits)
    if np.isfinite(logits).all():
        return
    check_weights("classifier", weights, wherever=True)
    wrong = int(np.flatnonzero(~np.isfinite(logits))[0])
    raise ValueError(f"`classifier` must give finite logits; got {logits[wrong]} at logit {wrong} for {subject}.")


def on_host(leaf: object) -> bool:
    """Whether NumPy can see an array as it is, without a copy from an accelerator; not so while it is traced."""
    if isinstance(leaf, np.ndarray):
        return True
    if not isinstance(leaf, jax.Array) or isinstance(leaf, jax.core.Tracer):
        return False
    return leaf.is_fully_addressable and all(device.platform == "cpu" for device in leaf.devices())
