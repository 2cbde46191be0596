"""Models of other libraries: the examples of the documentation, run as they stand there."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsal
from jaxsal import deletion, rise
from jaxsal.engine.scoring import score_chunks

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "model.md").read_text()
CLIP = np.random.default_rng(1).random((4, 16, 16, 3), np.float32)


def shown_example(library):
    """What the page's code block of that library defines, given a clip."""
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.S) if library in block)
    names = {"clip": CLIP, "jax": jax, "jaxsal": jaxsal, "jnp": jnp}
    exec(code, names)
    return names


@pytest.mark.parametrize("library", ["from flax import nnx", "import equinox"])
def test_models_of_other_libraries_are_explained_and_their_weights_are_arguments(library):
    """Other weights of the same model compile nothing and change the maps."""
    names = shown_example(library)
    model, options = names["model"], dict(num_masks=16, grid_shape=(2, 3, 3))
    assert names["cam"].shape == CLIP.shape[:3]
    found = rise(jax.random.key(0), model, CLIP, 0, **options)
    assert found.shape == CLIP.shape[:3]
    assert np.ptp(found) > 0
    curve = deletion(model, CLIP, found, 0, num_steps=5)
    np.testing.assert_allclose(curve.scores[0], jax.nn.softmax(model(CLIP))[0], rtol=1e-4)

    def other(leaf):
        return 0.5 * leaf if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    programs = score_chunks._cache_size()
    of_other = rise(jax.random.key(0), jax.tree.map(other, model), CLIP, 0, **options)
    assert score_chunks._cache_size() == programs
    assert np.abs(found - of_other).max() > 0
