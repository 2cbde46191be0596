"""Random starting values, drawn by numpy on the host: nothing is compiled for them."""

import math
from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray


@partial(jax.jit, static_argnums=(0, 2))
def init_variables(model: nn.Module, key: PRNGKeyArray, clip_shape: tuple[int, ...]) -> dict:
    """Starting variables of a network; its forward pass is traced for the shapes, neither compiled nor run.

    Takes 1.3 s for the full 3D-ResNet18 (33 million parameters, two cores), where JAX's own generator, compiled
    once for every shape of kernel, takes over half a minute.

    Args:
      model: A network whose initialisers are those of this module (others work and are slower).
      key: Random key; the same key gives the same variables.
      clip_shape: Shape of one batch of inputs, such as (1, 16, 112, 112, 3).

    Returns:
      {"params": ..., "batch_stats": ...}.
    """
    return dict(model.init(key, jnp.zeros(clip_shape)))


def kaiming_fan_out(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Kernel (..., C, D) drawn from N(0, 2 / fan_out), fan_out = D times the number of taps.

    References:
      He et al., "Delving Deep into Rectifiers", 2015, https://arxiv.org/abs/1502.01852
    """
    std = math.sqrt(2 * shape[-2] / math.prod(shape))
    return _draw(key, shape, lambda generator: std * generator.standard_normal(shape, np.float32))


def uniform(bound: float) -> Callable[..., Float[Array, "..."]]:
    """Initialiser of values spread evenly from -bound to bound."""

    def init(key: PRNGKeyArray, shape: tuple[int, ...], dtype: object = None) -> Float[Array, "..."]:
        return _draw(key, shape, lambda generator: bound * (2 * generator.random(shape, np.float32) - 1))

    return init


def normal(std: float) -> Callable[..., Float[Array, "..."]]:
    """Initialiser of values drawn from N(0, std^2)."""

    def init(key: PRNGKeyArray, shape: tuple[int, ...], dtype: object = None) -> Float[Array, "..."]:
        return _draw(key, shape, lambda generator: std * generator.standard_normal(shape, np.float32))

    return init


def _draw(key: PRNGKeyArray, shape: tuple[int, ...], sample: Callable[[np.random.Generator], np.ndarray]) -> jax.Array:
    """Calls `sample` on the host with a generator seeded by `key`; the same values traced or not."""

    def on_host(key_data):
        return sample(np.random.default_rng(np.asarray(key_data))).astype(np.float32)

    result = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.pure_callback(on_host, result, jax.random.key_data(key), vmap_method="sequential")
