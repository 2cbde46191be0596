"""HiResCAM, LayerCAM, Grad-CAM++ and ReciproCAM in closed form, with heads that are linear, and quadratic."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import toys
from jaxsal import Classifier, Contrast, gradcam, saliency_map, sidu
from jaxsal.recipes.further import HiResCamOptions, ReciproCamOptions

RNG = np.random.default_rng(0)
SHAPE = (2, 3, 4)
CLIP = RNG.random((*SHAPE, 3), np.float32)
WEIGHTS = RNG.normal(size=(2, *SHAPE, 3)).astype(np.float32)


def placed(power):
    """Activations are the clip; logit k is sum_{p, d} w_kpd A_pd^power."""

    def head(params, activations):
        return jnp.einsum("kthwd,thwd->k", params, activations**power)

    return Classifier.from_functions(lambda params, clip: clip, head, jnp.asarray(WEIGHTS))


LINEAR, SQUARES = placed(1), placed(2)


def test_of_a_linear_head_places_add_up_to_the_logit():
    evidence = (WEIGHTS * CLIP).sum(axis=-1)
    maps = saliency_map(LINEAR, CLIP, "all", method="hirescam")
    np.testing.assert_allclose(maps, np.maximum(evidence, 0), rtol=1e-4, atol=1e-6)
    negative = saliency_map(LINEAR, CLIP, lambda z: -z[0], method="hirescam")
    np.testing.assert_allclose((maps[0] - negative).sum(), LINEAR(CLIP)[0], rtol=1e-3)
    positive = (np.maximum(WEIGHTS, 0) * CLIP).sum(axis=-1)
    np.testing.assert_allclose(saliency_map(LINEAR, CLIP, 1, method="layercam"), positive[1], rtol=1e-4)
    found = saliency_map(LINEAR, CLIP, 0, method="reciprocam")
    spread = (evidence[0] - evidence[0].min()) / np.ptp(evidence[0])
    np.testing.assert_allclose(found, spread, rtol=1e-3, atol=1e-5)


def test_gradcam_plus_plus_against_a_plain_twin():
    gradient = 2 * WEIGHTS[0] * CLIP
    shares = gradient**2 / (2 * gradient**2 + gradient**3 * CLIP.sum(axis=(0, 1, 2)))
    weights = (shares * np.maximum(gradient, 0)).sum(axis=(0, 1, 2))
    expected = np.maximum((weights * CLIP).sum(axis=-1), 0)
    np.testing.assert_allclose(saliency_map(SQUARES, CLIP, 0, method="gradcampp"), expected, rtol=1e-3)


def test_a_contrast_is_the_gradient_of_the_difference():
    for explain in (gradcam, lambda *given: saliency_map(*given, method="hirescam")):
        of_function = explain(SQUARES, CLIP, lambda z: z[1] - z[0])
        np.testing.assert_allclose(explain(SQUARES, CLIP, Contrast(1, 0)), of_function, rtol=1e-4, atol=1e-6)
    of_function = sidu(LINEAR, CLIP, lambda z: 1 / (1 + jnp.exp(z[0] - z[1])), threshold=0.5)
    np.testing.assert_allclose(sidu(LINEAR, CLIP, Contrast(1, 0), threshold=0.5), of_function, rtol=1e-4, atol=1e-6)


def test_activations_of_each_spectrum():
    scene = {"IR": CLIP[..., :1], "TV": CLIP}

    class Both:
        def features(self, scene):
            return scene

        def head(self, activations):
            total = activations["IR"][0].sum() + activations["TV"][1, ..., 0].sum()
            return jnp.stack([total, jnp.zeros_like(total)])

        def __call__(self, scene):
            return self.head(scene)

    jax.tree_util.register_static(Both)
    maps = saliency_map(Both(), scene, 0, method="reciprocam")
    largest = max(CLIP[0, ..., 0].max(), CLIP[1, ..., 0].max())
    np.testing.assert_allclose(maps["IR"][0], CLIP[0, ..., 0] / largest, rtol=1e-4)
    np.testing.assert_allclose(maps["TV"][1], CLIP[1, ..., 0] / largest, rtol=1e-4)
    np.testing.assert_allclose(maps["IR"][1], 0, atol=1e-5)


@pytest.mark.parametrize("kind", [HiResCamOptions, ReciproCamOptions])
def test_another_layer_is_that_of_a_classifier_there(kind):
    net = nn.Sequential([nn.Conv(2, (1, 1, 1)), jnp.square, lambda a: a.mean((1, 2, 3)), nn.Dense(2)])
    network = Classifier.from_model(net, toys.drawn(net, CLIP.shape, seed=1))
    expected = saliency_map(network.at("layers_0"), CLIP, 0, method=kind())
    np.testing.assert_allclose(saliency_map(network, CLIP, 0, method=kind(layer="layers_0")), expected, rtol=1e-5)
    assert np.ptp(expected) > 0
