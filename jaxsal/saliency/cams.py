"""HiResCAM, LayerCAM and Grad-CAM++: the last activations, weighed by the gradient place by place."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsal.engine.batch import Batch
from jaxsal.recipes import METHODS
from jaxsal.recipes.further import CamOptions
from jaxsal.saliency.controls import Maps
from jaxsal.saliency.gradcam import cam_maps
from jaxsal.saliency.method import Method, of_layer
from jaxsal.saliency.targets import Targets

Activations = Float[Array, "t h w d"]


def hirescam(
    gradient: Activations, activations: Activations, options: object, per_frame: bool
) -> Float[Array, "t h w"]:
    """S = up(ReLU(sum_k dF_c/dA_k A_k)), place by place; where the head is linear it adds up to the logit.

    References:
      Draelos and Carin, "Use HiResCAM instead of Grad-CAM", 2020, https://arxiv.org/abs/2011.08891
    """
    return (gradient * activations).sum(axis=-1)


def layercam(
    gradient: Activations, activations: Activations, options: object, per_frame: bool
) -> Float[Array, "t h w"]:
    """S = up(ReLU(sum_k ReLU(dF_c/dA_k) A_k)), place by place; made for layers before the last.

    References:
      Jiang et al., "LayerCAM", IEEE TIP 2021, https://doi.org/10.1109/TIP.2021.3089943
    """
    return (jax.nn.relu(gradient) * activations).sum(axis=-1)


def gradcampp(
    gradient: Activations, activations: Activations, options: object, per_frame: bool
) -> Float[Array, "t h w"]:
    """S = up(ReLU(sum_k w_k A_k)), w_k = sum_p a_kp ReLU(g_kp), a_kp = g_kp^2 / (2 g_kp^2 + g_kp^3 sum_q A_kq).

    g = dF_c/dA at place p of channel k. The paper takes the gradient of exp(F_c), whose factor exp(F_c) cancels in a.

    References:
      Chattopadhyay et al., "Grad-CAM++", WACV 2018, https://arxiv.org/abs/1710.11063
    """
    divisor = 2 * gradient**2 + gradient**3 * activations.sum(axis=(0, 1, 2))
    known = (gradient != 0) & (divisor != 0)
    shares = jnp.where(known, gradient**2 / jnp.where(known, divisor, 1), 0)
    return (activations * (shares * jax.nn.relu(gradient)).sum(axis=(0, 1, 2))).sum(axis=-1)


def _method(name: str, evidence: Callable[..., Array]) -> Method:
    def maps(batch: Batch, targets: Targets, options: CamOptions, seed: int) -> Maps:
        return cam_maps(batch, targets, evidence, options)

    return Method(name, METHODS[name], maps=maps, activations=of_layer, needs_parts=True, seeded=False)


HIRESCAM, LAYERCAM, GRADCAMPP = (
    _method(name, evidence)
    for name, evidence in (("hirescam", hirescam), ("layercam", layercam), ("gradcampp", gradcampp))
)
