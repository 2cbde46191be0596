"""Max-sensitivity: maps that do not move, that move with the clip, and captum's numbers."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsal.metrics.fidelity import infidelity
from jaxsal.metrics.sensitivity import change_of, max_sensitivity

KEY = jax.random.key(0, impl="threefry2x32")
CLIP = jnp.full((2, 3, 4, 1), 0.5)
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "measures.json").read_text())["captum"]


def test_a_map_that_ignores_the_clip_is_not_sensitive():
    assert max_sensitivity(KEY, lambda clip: jnp.ones((2, 3, 4)), CLIP) == 0


def test_a_map_that_is_the_clip_moves_as_far_as_the_clip():
    """|e| / |x| of uniform e is about radius / sqrt(3) / 0.5, and at most radius / 0.5; more samples find no less."""
    found = [max_sensitivity(KEY, lambda clip: clip[..., 0], CLIP, num_samples=n, radius=0.1) for n in (1, 10)]
    assert 0.06 < found[0] <= found[1] <= 0.2
    thrice = max_sensitivity(KEY, lambda clip: 3 * clip[..., 0], CLIP, num_samples=10, radius=0.1)
    assert thrice == pytest.approx(found[1], rel=1e-5)


def test_of_a_scene_and_of_no_map():
    scene = {"IR": CLIP, "TV": CLIP}
    found = max_sensitivity(KEY, lambda clips: {name: clip[..., 0] for name, clip in clips.items()}, scene)
    assert 0 < found < 0.04
    assert np.isnan(max_sensitivity(KEY, lambda clip: 0 * clip[..., 0], CLIP))


def test_the_numbers_of_captum():
    own, *others = (np.asarray(saliency) for saliency in (GOLDEN["maps"][0], *GOLDEN["maps"][1]))
    assert max(change_of(own, other) for other in others) == pytest.approx(GOLDEN["sensitivity"], rel=1e-5)
    credits, drops = np.array(GOLDEN["credits"]), np.array(GOLDEN["drops"])
    for scaled, name in ((False, "infidelity_plain"), (True, "infidelity_scaled")):
        assert infidelity(credits, drops, scaled=scaled) == pytest.approx(GOLDEN[name], rel=1e-5)


def test_messages():
    for changes, message in [(dict(num_samples=0), "`num_samples` must be at"), (dict(radius=0.0), "`radius` must be")]:
        with pytest.raises(ValueError, match=message):
            max_sensitivity(KEY, lambda clip: clip, CLIP, **changes)
