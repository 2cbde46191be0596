from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxsal.models import PAN
from jaxsal.training.optimizer import GROUPS, grouped_sgd, make_optimizer, parameter_groups
from jaxsal.training.options import TrainOptions

SHAPES = {
    "pa": {"conv": {"kernel": (3, 3, 3, 2), "bias": (2,)}},
    "backbone": {"conv1": {"kernel": (3, 3, 5, 4)}, "norm1": {"scale": (4,), "bias": (4,)}},
    "fc": {"kernel": (4, 3), "bias": (3,)},
}
MULTIPLIERS = {
    "pa": {"conv": {"kernel": (5, 1), "bias": (10, 0)}},
    "backbone": {"conv1": {"kernel": (1, 1)}, "norm1": {"scale": (1, 0), "bias": (1, 0)}},
    "fc": {"kernel": (5, 1), "bias": (10, 0)},
}


def is_shape(node):
    return isinstance(node, tuple)


def test_groups_of_pan(no_shape_checks):
    """The published network: 1 and 1 of the PA module, 53 convolutions, 53 norms, 3 linear layers, one with bias."""
    params = jax.eval_shape(PAN().init, jax.random.key(0), jnp.zeros((1, 32, 32, 32, 3)))["params"]
    assert Counter(jax.tree.leaves(parameter_groups(params))) == {
        "pa kernel": 1, "pa bias": 1, "conv kernel": 53, "norm": 106, "linear kernel": 3, "linear bias": 1
    }  # fmt: skip


def test_multipliers_by_layer():
    params = jax.tree.map(np.zeros, SHAPES, is_leaf=is_shape)
    assert jax.tree.map(lambda group: tuple(GROUPS[group]), parameter_groups(params)) == MULTIPLIERS


def test_sgd_against_its_definition():
    """Torch's rule in float64, parameter by parameter, on gradients that are clipped and on some that are not."""
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda shape: rng.standard_normal(shape), SHAPES, is_leaf=is_shape)
    expected, velocity = params, jax.tree.map(np.zeros_like, params)
    params = jax.tree.map(jnp.float32, params)
    optimizer = grouped_sgd(optax.piecewise_constant_schedule(0.01, {2: 0.1}), weight_decay=0.05)
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    for step, size in enumerate((3.0, 0.1, 2.0, 0.2)):
        gradient = jax.tree.map(lambda shape: size * rng.standard_normal(shape), SHAPES, is_leaf=is_shape)  # noqa: B023
        norm = np.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(gradient)))
        assert (norm > 20) == (size > 1)
        rate = 0.01 if step < 2 else 0.001
        clip = min(1, 20 / norm)
        velocity = jax.tree.map(
            lambda v, g, p, m: 0.9 * v + clip * g + 0.05 * m[1] * p,  # noqa: B023
            velocity, gradient, expected, MULTIPLIERS,
        )  # fmt: skip
        expected = jax.tree.map(lambda p, v, m: p - rate * m[0] * v, expected, velocity, MULTIPLIERS)  # noqa: B023
        with jax.numpy_dtype_promotion("standard"):
            change, state = update(jax.tree.map(jnp.float32, gradient), state, params)
            params = optax.apply_updates(params, change)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), params, expected)


def test_the_rate_falls_at_epochs_30_and_40_of_50():
    options = TrainOptions(num_steps=50, optimizer="sgd", learning_rate=1.0, weight_decay=0.0)
    optimizer, params = make_optimizer(options), {"conv": {"kernel": jnp.zeros((1, 1, 1, 1))}}
    state, gradient, velocity, rates = optimizer.init(params), {"conv": {"kernel": jnp.ones((1, 1, 1, 1))}}, 0.0, []
    update = jax.jit(optimizer.update)
    for _ in range(50):
        with jax.numpy_dtype_promotion("standard"):
            change, state = update(gradient, state, params)
        velocity = 0.9 * velocity + 1
        rates.append(round(-float(change["conv"]["kernel"].item()) / velocity, 4))
    assert rates == [1.0] * 30 + [0.1] * 10 + [0.01] * 10
