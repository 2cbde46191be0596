"""Models of other libraries: the examples of the documentation, run as they stand there."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsal
from jaxsal import deletion, gradcam, insertion, rise, sidu

PAGE = (Path(__file__).parents[1] / "docs" / "howto" / "model.md").read_text()
CLIP = jax.random.uniform(jax.random.key(1), (4, 16, 16, 3))


def shown_example(library):
    """What the page's code block of that library defines, given a clip."""
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.S) if library in block)
    names = {"clip": CLIP, "jax": jax, "jaxsal": jaxsal, "jnp": jnp}
    exec(code, names)
    return names


def weights_of(model):
    return [leaf for leaf in jax.tree.leaves(model) if isinstance(leaf, jax.Array | np.ndarray)]


@pytest.mark.parametrize("library", ["from flax import nnx", "import equinox"])
def test_every_method_takes_models_of_other_libraries(library):
    names = shown_example(library)
    model = names["model"]
    np.testing.assert_allclose(names["cam"], gradcam(model, CLIP), rtol=1e-5)
    maps = [
        gradcam(model, CLIP, "all"),
        sidu(model, CLIP, "all", threshold=0.0),
        rise(jax.random.key(0), model, CLIP, "all", num_masks=16, grid_shape=(2, 3, 3)),
    ]
    for found in maps:
        assert found.shape == (8, 4, 16, 16)
        assert bool(jnp.isfinite(found).all())
        assert float(jnp.ptp(found)) > 0
    for measure in (deletion, insertion):
        curve = measure(model, CLIP, maps[0][0], 0, num_steps=5)
        untouched = curve.scores[0 if measure is deletion else -1]
        np.testing.assert_allclose(untouched, jax.nn.softmax(model(CLIP))[0], rtol=1e-4)


@pytest.mark.parametrize("library", ["from flax import nnx", "import equinox"])
def test_their_weights_are_arguments_of_the_compiled_programs(library):
    """Other weights of the same model compile nothing and change the maps."""
    from jaxsal.scoring import _score_chunks

    model = shown_example(library)["model"]
    assert len(weights_of(model)) == 4

    def other(leaf):
        return 0.5 * leaf if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    options = dict(num_masks=16, grid_shape=(2, 3, 3))
    first = rise(jax.random.key(0), model, CLIP, 0, **options)
    programs = _score_chunks._cache_size()
    second = rise(jax.random.key(0), jax.tree.map(other, model), CLIP, 0, **options)
    assert _score_chunks._cache_size() == programs
    assert float(jnp.abs(first - second).max()) > 0
