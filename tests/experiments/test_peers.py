import jax.numpy as jnp
import numpy as np
import pytest
from peers import EAGER, Config, Subject, memory_lines, pairing

from jaxsal.engine.rise_masks import RiseMasks


class Asked:
    """A peer that remembers what it was asked."""

    def ask(self, name, **arguments):
        return name, arguments


@pytest.fixture(scope="module")
def subject():
    return Subject(Config(torch_python="python", shape=(2, 8, 8), num_masks=2, num_steps=3, chunk_size=2), width=4)


@pytest.mark.parametrize("method", ["rise", "sidu", "deletion", "insertion", "gradcam", "torchcam"])
def test_every_method_has_a_peer(subject, method):
    ours, theirs, _, work = pairing(method, subject, Asked())

    assert EAGER in theirs
    assert set(ours) == {"jaxsal"}
    assert work >= 1
    name, arguments = theirs[EAGER](output="file")
    assert arguments["output"] == "file"
    assert name in ("rise", "sidu", "curve", "captum_gradcam", "torchcam_curves")


def test_the_other_side_gets_the_masks_that_ours_uses(subject, tmp_path):
    subject.save(tmp_path, 3)

    grids, offsets = (np.load(tmp_path / f"{name}.npy") for name in ("grids", "offsets"))
    masks = RiseMasks.draw(subject.key, 3, 0.1, (2, 8, 8), (2, 8, 8), "corners", "spatial")
    grid, offset = masks.grid_and_offset(jnp.asarray(2))
    np.testing.assert_array_equal(grids[2], grid)
    np.testing.assert_array_equal(offsets[2], offset)
    assert len(np.unique(np.load(tmp_path / "saliency.npy"))) == 2 * 8 * 8
    assert np.load(tmp_path / "clip.npy").shape == (2, 8, 8, 3)


def test_memory_is_a_table():
    assert memory_lines([]) == []
    rows = [dict(num_masks=1000, jaxsal_mb=500.4, torch_mb=800.0)]
    assert memory_lines(rows)[-1] == "| 1,000 | 500 | 800 |"
