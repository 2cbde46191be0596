"""Models of other libraries: the examples of the documentation, run as they stand there."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsal
from jaxsal import deletion, gradcam, insertion, rise, sidu
from jaxsal.engine.scoring import score_chunks
from jaxsal.models import PAN, init_variables

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "model.md").read_text()
NAMES = {"def my_backbone": "classifier"}  # of an example's model, where it is not `model`
CLIP = jax.random.uniform(jax.random.key(1), (4, 16, 16, 3))


def shown_example(library):
    """What the page's code block of that library defines, given a clip."""
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.S) if library in block)
    names = {"clip": CLIP, "jax": jax, "jaxsal": jaxsal, "jnp": jnp}
    exec(code, names)
    return names


@pytest.mark.network
@pytest.mark.nightly
def test_every_method_takes_a_pan():
    """Of 2 segments of 4 frames: maps have a slice for each, and a curve begins at the untouched clip."""
    model = PAN(3, width=2, num_segments=2)
    clip = jax.random.uniform(jax.random.key(2), (8, 32, 32, 3))
    variables = init_variables(model, jax.random.key(0), (1, *clip.shape))
    classifier = jaxsal.Classifier.from_model(model, variables)
    for method in (gradcam, sidu):
        assert jax.eval_shape(lambda clip, method=method: method(classifier, clip, 0), clip).shape == (2, 32, 32)
    found = rise(jax.random.key(0), classifier, clip, 0, num_masks=4)
    assert found.shape == (2, 32, 32)
    assert jnp.isfinite(found).all()
    probability = jax.nn.softmax(classifier(clip))[0]
    np.testing.assert_allclose(deletion(classifier, clip, found, 0, num_steps=3).scores[0], probability, rtol=1e-4)


def weights_of(model):
    return [leaf for leaf in jax.tree.leaves(model) if isinstance(leaf, jax.Array | np.ndarray)]


@pytest.mark.parametrize("library", ["def my_backbone", "from flax import nnx", "import equinox"])
def test_every_method_takes_models_of_other_libraries(library):
    names = shown_example(library)
    clip = names["clip"]
    model = names[NAMES.get(library, "model")]
    np.testing.assert_allclose(names["cam"], gradcam(model, clip), rtol=1e-5)
    maps = [
        gradcam(model, clip, "all"),
        sidu(model, clip, "all", threshold=0.0),
        rise(jax.random.key(0), model, clip, "all", num_masks=16, grid_shape=(2, 3, 3)),
    ]
    for found in maps:
        assert found.shape == (model(clip).size, *clip.shape[:3])
        assert bool(jnp.isfinite(found).all())
        assert float(jnp.ptp(found)) > 0
    for measure in (deletion, insertion):
        curve = measure(model, clip, maps[0][0], 0, num_steps=5)
        untouched = curve.scores[0 if measure is deletion else -1]
        np.testing.assert_allclose(untouched, jax.nn.softmax(model(clip))[0], rtol=1e-4)


@pytest.mark.parametrize("library", ["def my_backbone", "from flax import nnx", "import equinox"])
def test_their_weights_are_arguments_of_the_compiled_programs(library):
    """Other weights of the same model compile nothing and change the maps."""
    model = shown_example(library)[NAMES.get(library, "model")]
    assert len(weights_of(model)) == 4

    def other(leaf):
        return 0.5 * leaf if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    options = dict(num_masks=16, grid_shape=(2, 3, 3))
    first = rise(jax.random.key(0), model, CLIP, 0, **options)
    programs = score_chunks._cache_size()
    second = rise(jax.random.key(0), jax.tree.map(other, model), CLIP, 0, **options)
    assert score_chunks._cache_size() == programs
    assert float(jnp.abs(first - second).max()) > 0
