"""How gradients become changes of the weights: AdamW, or SGD by the study's rule with its groups of parameters."""

from typing import NamedTuple

import jax
import optax
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import PyTree

from jaxsal.training.options import TrainOptions

MOMENTUM = 0.9
MAX_GRADIENT_NORM = 20.0
DECAYS = (3 / 5, 4 / 5)  # of the steps, after which the learning rate falls to a tenth: epochs 30 and 40 of 50


class Multipliers(NamedTuple):
    """What the learning rate and the weight decay are multiplied with."""

    rate: float
    decay: float


GROUPS = {
    "conv kernel": Multipliers(1, 1),
    "norm": Multipliers(1, 0),
    "linear kernel": Multipliers(5, 1),
    "linear bias": Multipliers(10, 0),
    "pa kernel": Multipliers(5, 1),
    "pa bias": Multipliers(10, 0),
}
"""By name of a group: PAN's parts that no ImageNet weights exist for learn faster; biases and norms do not decay."""


def make_optimizer(options: TrainOptions) -> optax.GradientTransformation:
    """The optimizer that the options name, "adamw" or "sgd".

    AdamW warms up linearly over a tenth of the steps and decays to 0 along a cosine. For SGD see `grouped_sgd`.
    """
    if options.optimizer == "adamw":
        warm_up = max(options.num_steps // 10, 1)
        schedule = optax.warmup_cosine_decay_schedule(0, options.learning_rate, warm_up, max(options.num_steps, 2))
        return optax.adamw(schedule, weight_decay=options.weight_decay)
    drops = {round(share * options.num_steps): 0.1 for share in DECAYS}
    return grouped_sgd(
        optax.piecewise_constant_schedule(options.learning_rate, drops), weight_decay=options.weight_decay
    )


def grouped_sgd(learning_rate: optax.ScalarOrSchedule, *, weight_decay: float) -> optax.GradientTransformation:
    """SGD with momentum as PAN's authors train it, each group of parameters at its own pace.

    With the gradient g of all parameters, of norm |g|, and a group's multipliers r and d (`GROUPS`):

        g <- g min(1, 20 / |g|),  v <- 0.9 v + g + weight_decay d p,  p <- p - learning_rate r v.

    Args:
      learning_rate: A number, or a schedule by step.
      weight_decay: Added to the gradient after clipping, times the parameter.

    References:
      Zhang et al., "PAN: Towards Fast Action Recognition via Learning Persistence of Appearance", 2020,
      https://arxiv.org/abs/2008.03462
    """

    def decays(params: PyTree) -> PyTree:
        return jax.tree.map(lambda group: GROUPS[group].decay == 1, parameter_groups(params))

    return optax.chain(
        optax.clip_by_global_norm(MAX_GRADIENT_NORM),
        optax.add_decayed_weights(weight_decay, mask=decays),
        optax.trace(decay=MOMENTUM),
        optax.partition({name: optax.scale(group.rate) for name, group in GROUPS.items()}, parameter_groups),
        optax.scale_by_learning_rate(learning_rate),
    )


def parameter_groups(params: PyTree) -> PyTree:
    """The group of each parameter, a key of `GROUPS`, in the shape of the tree."""
    flat = flatten_dict(params)

    def group(path: tuple[str, ...]) -> str:
        if (*path[:-1], "scale") in flat:
            return "norm"
        layer = "pa" if path[0] == "pa" else "linear" if flat[*path[:-1], "kernel"].ndim == 2 else "conv"
        return f"{layer} {path[-1]}"

    return unflatten_dict({path: group(path) for path in flat})
