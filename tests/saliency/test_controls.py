"""The maps that methods are compared with: what each shows, and that each clip's is its own at any batching."""

import numpy as np
import pytest

from jaxsal import recipes
from jaxsal.core.controls import control_names, control_order, is_control
from jaxsal.saliency.controls import Subjects
from jaxsal.saliency.methods import METHODS

SHAPE = (4, 16, 24)
CLIPS = np.random.default_rng(0).random((3, *SHAPE, 3)).astype(np.float32)
MAPS = np.random.default_rng(1).random((3, *SHAPE)).astype(np.float32)


def maps_of(control, names=("a", "b", "c"), seed=0, shape=SHAPE):
    number = {"a": 0, "b": 1, "c": 2}
    clips, others = ([of[number[name]] for name in names] for of in (CLIPS, MAPS))
    return METHODS[control].control(Subjects(names, clips, shape, seed, others))


@pytest.mark.parametrize("control", ["random", "smooth", "other-rise", "centre", "motion", "constant"])
def test_a_clips_map_does_not_depend_on_the_clips_beside_it(control):
    together = maps_of(control)
    assert together.shape == (3, *SHAPE)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together[[2, 0]], maps_of(control, ("c", "a")))


@pytest.mark.parametrize("control", ["random", "smooth"])
def test_random_maps_depend_on_the_clips_name_and_the_seed(control):
    one, other, _ = maps_of(control)
    assert (one != other).mean() > 0.99
    assert (one != maps_of(control, seed=1)[0]).mean() > 0.99


def test_smooth_noise_is_that_of_rises_grid():
    """Uniform numbers, stretched linearly: between neighbours a fraction of the spread; four draws halve the latter."""
    shape = (16, 64, 64)
    smooth, noise = (
        np.stack([maps_of(name, ("a",), seed, shape)[0] for seed in range(20)]) for name in ("smooth", "random")
    )
    assert smooth.mean() == pytest.approx(0.5, abs=0.03)
    assert smooth.std() < noise.std() / 2
    for axis, cell in ((1, 8), (2, 8), (3, 8)):
        steps = np.abs(np.diff(smooth, axis=axis))
        assert steps.mean() < smooth.std() * 2 / cell < np.abs(np.diff(noise, axis=axis)).mean()
        assert np.abs(np.diff(steps, axis=axis)).mean() < steps.mean()  # straight lines between the nodes


def test_the_centre_is_a_gaussian_of_a_quarter_of_the_frame():
    blob = maps_of("centre", ("a",))[0]
    np.testing.assert_array_equal(blob, blob[:, ::-1, ::-1])
    np.testing.assert_array_equal(blob, np.broadcast_to(blob[:1], SHAPE))
    y, x = (3 + 0.5) / 16 - 0.5, (20 + 0.5) / 24 - 0.5
    assert blob[0, 3, 20] == pytest.approx(np.exp(-(y**2 + x**2) / (2 * 0.25**2)), rel=1e-6)


def test_motion_is_the_energy_of_the_changes_to_both_neighbours():
    energy = maps_of("motion", ("b",))[0]
    clip = CLIPS[1]
    changes = [((clip[t + 1] - clip[t]) ** 2).mean(axis=-1) for t in range(3)]
    expected = [changes[0], changes[0] + changes[1], changes[1] + changes[2], changes[2]]
    np.testing.assert_allclose(energy, expected, rtol=1e-5)
    shared = maps_of("motion", ("b",), shape=(2, 16, 24))[0]
    np.testing.assert_allclose(shared, [np.mean(expected[:2], axis=0), np.mean(expected[2:], axis=0)], rtol=1e-5)


def test_other_is_the_map_that_is_given_and_constant_is_zero():
    np.testing.assert_array_equal(maps_of("other-gradcam"), MAPS)
    assert not maps_of("constant").any()


def test_names_and_titles():
    assert control_names(("random", "other"), ("rise", "sidu")) == ["random", "other-rise", "other-sidu"]
    every = control_names(("all",), recipes.METHODS)
    assert set(every) | set(recipes.METHODS) == set(METHODS)
    titles = [METHODS[name].title for name in every]
    assert titles[2] == "Grad-CAM of another clip"
    assert all(map(is_control, titles))
    assert not any(map(is_control, recipes.METHODS.values()))
    assert sorted([*reversed(titles), "RISE"], key=control_order)[:3] == ["RISE", "random", "smooth"]
