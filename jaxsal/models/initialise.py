"""Random starting values, drawn by NumPy on the host: nothing is compiled for them.

Flax's `variance_scaling(2, "fan_out", "normal")` has the same distribution. On a CPU, XLA compiles JAX's generator
once for every shape of kernel, which takes ten times as long for the full 3D-ResNet18: 25.5 s of processor time
instead of 2.7 (6.8 s with keys of the kind "rbg").
"""

import math
from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

BatchShape = tuple[int, ...] | tuple[tuple[str, tuple[int, ...]], ...]
"""Of clips, or of scenes for each spectrum."""

Initialiser = Callable[..., Float[Array, "..."]]  # of a key and a shape


@partial(jax.jit, static_argnums=(0, 2))
def init_variables(model: nn.Module, key: PRNGKeyArray, clip_shape: BatchShape) -> dict:
    """Starting variables of a network; its forward pass is traced for the shapes, neither compiled nor run.

    Args:
      model: A network whose initialisers are those of this module (others work and are slower).
      key: Random key; the same key gives the same variables.
      clip_shape: Shape of one batch of inputs, such as (1, 16, 112, 112, 3); of scenes one for each spectrum, as pairs
        (("IR", shape), ("TV", shape)).

    Returns:
      {"params": ..., "batch_stats": ...}.
    """
    return dict(model.init(key, zeros(clip_shape)))


def zeros(clip_shape: BatchShape) -> PyTree:
    """One batch of inputs that are all 0; shapes as of `init_variables`."""
    parts = {part[0]: jnp.zeros(part[1]) for part in clip_shape if isinstance(part, tuple)}
    return parts or jnp.zeros(clip_shape)


def kaiming_fan_out(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Kernel (..., C, D) drawn from N(0, 2 / fan_out), fan_out = D times the number of taps.

    References:
      He et al., "Delving Deep into Rectifiers", 2015, https://arxiv.org/abs/1502.01852
    """
    return normal(math.sqrt(2 * shape[-2] / math.prod(shape)))(key, shape)


def normal(std: float) -> Initialiser:
    """Initialiser of values drawn from N(0, std^2)."""
    return _drawn_by(lambda generator, shape: std * generator.standard_normal(shape, np.float32))


def uniform(bound: float) -> Initialiser:
    """Initialiser of values spread evenly from -bound to bound."""
    return _drawn_by(lambda generator, shape: bound * (2 * generator.random(shape, np.float32) - 1))


def _drawn_by(sample: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]) -> Initialiser:
    """Calls `sample` on the host with a generator seeded by the key; the same values traced or not."""

    def init(key: PRNGKeyArray, shape: tuple[int, ...], dtype: object = None) -> Float[Array, "..."]:
        def on_host(key_data):
            return sample(np.random.default_rng(np.asarray(key_data)), shape).astype(np.float32)

        result = jax.ShapeDtypeStruct(shape, jnp.float32)
        return jax.pure_callback(on_host, result, jax.random.key_data(key), vmap_method="sequential")

    return init
