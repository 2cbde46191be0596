import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import runs
import toys
from jaxsal import Classifier
from jaxsal.models import PAN

CLIP = np.random.default_rng(1).random((4, 16, 16, 3), np.float32)
TINY = runs.Tiny(num_classes=3, width=2)


def test_a_flax_module_normalises_then_applies():
    classifier = Classifier.from_model(TINY, toys.drawn(TINY, CLIP.shape))
    normal = (CLIP - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    np.testing.assert_allclose(
        classifier(CLIP), TINY.apply(classifier.params, jnp.asarray(normal)[None])[0], rtol=1e-4, atol=1e-5
    )
    assert classifier.features(CLIP).shape == (2, 4, 4, 32)


def test_normalisations():
    plain = toys.pooling_classifier(cells=(1, 1, 1))
    np.testing.assert_array_equal(plain.normalize(CLIP), CLIP)
    standard = toys.pooling_classifier(cells=(1, 1, 1), mean=[0.5, 0.4, 0.3], std=[2.0, 1.0, 0.5])
    np.testing.assert_allclose(standard.normalize(CLIP)[..., 2], (CLIP[..., 2] - 0.3) / 0.5, rtol=1e-5)
    minmax = standard.with_normalization("minmax").normalize(0.5 * CLIP + 0.1)
    np.testing.assert_allclose([minmax.min(), minmax.max()], [0, 1], atol=1e-6)
    constant = standard.with_normalization("minmax").normalize(jnp.full(CLIP.shape, 0.3))
    np.testing.assert_array_equal(constant, 0)


def test_other_weights_of_a_model_are_the_same_program():
    apply = jax.jit(chex.assert_max_traces(lambda classifier, clip: classifier(clip), n=1))
    logits = [apply(Classifier.from_model(TINY, toys.drawn(TINY, CLIP.shape, seed)), CLIP) for seed in (0, 1)]
    assert np.abs(logits[0] - logits[1]).max() > 0


class NoHead(nn.Module):
    def features(self, clips):
        return clips


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(mean=[0.5]), "`mean` and `std` must be given together"),
        (dict(mean=[0.5, 0.5], std=[1.0]), "`mean` and `std` must have one value for each channel"),
        (dict(mean=[0.5, np.nan], std=[1.0, 1.0]), "`mean` must be finite; got"),
        (dict(mean=[0.5], std=[0.0]), r"`std` must be finite and above 0; got \[0.0\]"),
        (dict(frames_per_mask=0), "`frames_per_mask` must be at least 1; got 0"),
    ],
)
def test_bad_input(options, message, no_shape_checks):
    with pytest.raises(ValueError, match=message):
        toys.pooling_classifier(**options)


def test_unknown_names_and_modules_are_refused(no_shape_checks):
    with pytest.raises(TypeError, match="`model` must have methods features and head; got NoHead without head"):
        Classifier.from_model(NoHead(), {})
    with pytest.raises(ValueError, match="`normalization` must be one of .*got 'zscore'"):
        toys.pooling_classifier().with_normalization("zscore")
    with pytest.raises(ValueError, match="`precision` must be one of .*got 'float8'"):
        toys.pooling_classifier().with_precision("float8")


def test_bfloat16_weights_and_activations_float32_logits():
    """Rounded to 8 bits: logits within some hundredths of the largest, and not equal."""
    exact = Classifier.from_model(TINY, toys.drawn(TINY, CLIP.shape))
    rounded = exact.with_precision("bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves(rounded.params["params"])} == {jnp.dtype("bfloat16")}
    assert {leaf.dtype for leaf in jax.tree.leaves(rounded.params["batch_stats"])} == {jnp.dtype("float32")}
    with jax.numpy_dtype_promotion("standard"):
        activations = jax.eval_shape(rounded.features_fn, rounded.params, jnp.asarray(CLIP, jnp.bfloat16))
    assert activations.dtype == jnp.bfloat16
    logits, expected = rounded(CLIP), exact(CLIP)
    assert logits.dtype == rounded.features(CLIP).dtype == jnp.float32
    assert 1e-6 < np.abs(logits - expected).max() / np.abs(expected).max() < 0.05
    identity = toys.pooling_classifier(cells=(4, 16, 16)).with_precision("bfloat16")
    np.testing.assert_array_equal(identity.features(CLIP), CLIP.astype(jnp.bfloat16).astype(np.float32))


@pytest.mark.network
@pytest.mark.nightly
def test_bfloat16_of_pan():
    """Motion is computed in float32, from rounded weights."""
    clip = np.random.default_rng(1).random((8, 32, 32, 3), np.float32)
    model = PAN(num_classes=4, width=2, num_segments=2)
    exact = Classifier.from_model(model, toys.drawn(model, clip.shape))
    apply = jax.jit(lambda classifier: classifier(clip))
    logits, expected = apply(exact.with_precision("bfloat16")), apply(exact)
    assert logits.dtype == jnp.float32
    assert 1e-6 < np.abs(logits - expected).max() / np.abs(expected).max() < 0.05
