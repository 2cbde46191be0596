import jax.numpy as jnp
import numpy as np
import pytest

import golden
from jaxsal.engine.resample import degrade, linear_matrix, resample

RESAMPLED = [name[:-3] for name in golden.load("resample") if name.endswith(".in")]


@pytest.mark.parametrize("case", [c for c in RESAMPLED if c.startswith("ac_")])
def test_corners_as_torch_align_corners(case):
    reference = golden.load("resample")
    values = resample(jnp.asarray(reference[f"{case}.in"]), reference[f"{case}.out"].shape, "corners")
    golden.assert_close("resample", f"{case}.out", values)


@pytest.mark.parametrize("case", [c for c in RESAMPLED if c.startswith("sk_")])
def test_mirror_as_skimage(case):
    reference = golden.load("resample")
    values = resample(jnp.asarray(reference[f"{case}.in"]), reference[f"{case}.out"].shape, "mirror")
    golden.assert_close("resample", f"{case}.out", values)


def test_centers_as_torch_interpolate():
    frames = golden.load("pipeline")["frames_u8"] / np.float32(255)
    resized = resample(jnp.asarray(frames.transpose(1, 2, 0, 3)), (24, 32), "centers").transpose(2, 3, 0, 1)
    golden.assert_close("pipeline", "c3d.resized", resized)


@pytest.mark.parametrize("case", [c for c in RESAMPLED if c.startswith("blur_")])
def test_degrade_as_the_study(case):
    reference = golden.load("resample")
    clip = jnp.asarray(reference[f"{case}.in"])
    frames = clip if clip.ndim == 3 else clip[None]
    blurred = degrade(frames[..., None], int(reference[f"{case}.factor"]), time=clip.ndim == 3)
    golden.assert_close("resample", f"{case}.out", blurred[..., 0].reshape(clip.shape))


@pytest.mark.parametrize("alignment", ["corners", "centers", "mirror"])
@pytest.mark.parametrize(("num_in", "num_out"), [(1, 5), (5, 1), (2, 18), (9, 4), (7, 7)])
def test_rows_are_weights(num_in, num_out, alignment):
    matrix = linear_matrix(num_in, num_out, alignment)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert ((matrix != 0).sum(axis=1) <= 2).all()
    if num_in == num_out:
        np.testing.assert_array_equal(matrix, np.eye(num_in))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear_matrix(0, 3), "`num_in` and `num_out` must be at least 1; got 0 and 3"),
        (lambda: degrade(jnp.zeros((2, 4, 4, 1)), 0), "`factor` must be at least 1; got 0"),
    ],
)
def test_bad_sizes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_unknown_alignment(no_shape_checks):
    with pytest.raises(ValueError, match=r"`alignment` must be one of .*corners.*got 'middle'"):
        linear_matrix(2, 3, "middle")
