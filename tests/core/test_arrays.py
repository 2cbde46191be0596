"""Arrays whose headers do not tell the truth."""

import io
import zipfile

import numpy as np
import pytest

from jaxsal.core.arrays import parse_npy, read_npz


def npy(array, shape=None):
    """A .npy file, with another shape in its header if one is given."""
    file = io.BytesIO()
    header = dict(descr=array.dtype.str, fortran_order=False, shape=array.shape if shape is None else shape)
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + array.tobytes()


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.array("text"), np.zeros((0, 2)), np.float32(3)])
def test_whole_arrays(array, tmp_path):
    np.savez(tmp_path / "a.npz", a=np.asarray(array), b=np.asarray(array).T)
    found = read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["a"], array)
    np.testing.assert_array_equal(found["b"], np.asarray(array).T)


@pytest.mark.parametrize("shape", [(2**40,), (-3,), (7,)])
def test_a_shape_that_does_not_fit_is_refused_before_anything_is_allocated(shape):
    with pytest.raises(ValueError, match=r"an array of shape .* has 48 bytes"):
        parse_npy(npy(np.arange(6.0), shape))


def test_compressed_arrays_are_none_of_ours(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.zeros(1000)))
    with pytest.raises(ValueError, match="compressed"):
        read_npz(tmp_path / "a.npz")
