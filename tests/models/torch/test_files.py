import os
import pickle
import struct
import tracemalloc
import zipfile
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from jaxsal.models.pickles import read_pickled_arrays
from jaxsal.models.torch.files import read_tensors
from jaxsal.models.torch.unpickler import MAKERS

FOLDER = Path(__file__).parents[2] / "golden" / "torch_files"
PLAIN = ["zip.pt", "legacy.pth", "plain.safetensors"]
NESTED = ["nested_zip.pth.tar", "nested_legacy.pth.tar"]


@pytest.fixture(scope="module")
def expected():
    with np.load(FOLDER / "expected.npz") as file:
        return dict(file)


def assert_tensors(tensors, expected):
    assert set(tensors) == set(expected)
    for name, values in expected.items():
        assert tensors[name].shape == values.shape
        np.testing.assert_array_equal(tensors[name].astype(np.float32), values)
    dtypes = {name: str(tensors[name].dtype) for name in ("float32", "bfloat16", "float16", "int64_scalar")}
    assert dtypes == {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16", "int64_scalar": "int64"}


@pytest.mark.parametrize("name", PLAIN)
def test_reads_every_kind_of_tensor(name, expected):
    assert_tensors(read_tensors(FOLDER / name), expected)


@pytest.mark.parametrize("name", NESTED)
def test_reads_what_lies_beside_the_tensors(name, expected):
    checkpoint = read_tensors(str(FOLDER / name))

    tensors = checkpoint.pop("state_dict")
    assert checkpoint == {"epoch": 12, "arch": "toy", "best": 0.5}
    assert_tensors({key.removeprefix("module."): tensor for key, tensor in tensors.items()}, expected)


def test_reads_what_torch_allows_beside_weights():
    found = read_tensors(FOLDER / "beside.pt")

    np.testing.assert_array_equal(found.pop("weight"), np.arange(6, dtype=np.float32).reshape(2, 3))
    np.testing.assert_array_equal(found["weight_uint16"], np.arange(3))
    assert found.pop("weight_uint16").dtype == np.uint16
    assert type(found.pop("quantised")).__name__ == "Unread"
    assert found == {
        "milestones": {30: 1, 60: 2},
        "classes": {"wave", "walk"},
        "size": (2, 3),
        "dtype": "torch.bfloat16",
        "device": "cuda:1",
        "layout": "torch.strided",
        "buffer": b"ab",
        "raw": b"cd",
        "number": 1 + 2j,
    }


@pytest.mark.parametrize("name", [*PLAIN, *NESTED])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_refuses_a_file_cut_short(name, share, tmp_path):
    content = (FOLDER / name).read_bytes()
    path = tmp_path / "weights.pth"
    path.write_bytes(content[: int(share * len(content))])

    with pytest.raises(ValueError, match=r"`path` must be a whole torch or safetensors file; got .*weights\.pth"):
        read_tensors(path)


def test_refuses_other_files(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_text("not weights at all")

    with pytest.raises(ValueError, match="`path` must be a whole torch or safetensors file"):
        read_tensors(path)
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "missing.pth")


def test_refuses_a_zip_file_with_a_damaged_storage(tmp_path):
    content = bytearray((FOLDER / "zip.pt").read_bytes())
    content[content.index(np.float32(23).tobytes())] ^= 1
    path = tmp_path / "weights.pth"
    path.write_bytes(content)

    with pytest.raises(ValueError, match="`path` must be a whole torch"):
        read_tensors(path)


class Malicious:
    """Unpickled by the standard library, it calls a function of the writer's choice."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def write_zip(path, pickled, storages=()):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, content in storages:
            archive.writestr(f"archive/data/{key}", content)


@pytest.mark.parametrize("function", [os.system, eval, getattr, np.load])
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_refuses_a_pickle_that_calls_anything(function, kind, tmp_path):
    marker = tmp_path / "ran"
    pickled = pickle.dumps({"weight": Malicious(function, f"touch {marker}")}, protocol=2)
    path = tmp_path / "weights.pth"
    if kind == "zip":
        write_zip(path, pickled)
    else:
        path.write_bytes(pickled)

    with pytest.raises(ValueError, match=rf"`path` must hold tensors only; .* names .*{function.__name__}"):
        read_tensors(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("saved", "line"),
    [
        ({"model": {"w": "TENSOR"}, "args": Namespace(lr=1)}, r"load\('w.pth', weights_only=False\)\['model'\], '"),
        ({"net": Namespace(), "epoch": 3}, r"load\('w.pth', weights_only=False\)\['net'\].state_dict\(\), '"),
        (Namespace(), r"torch.save\(torch.load\('w.pth', weights_only=False\).state_dict\(\), 'weights.pth'\)"),
    ],
)
def test_a_refusal_has_the_line_that_saves_the_weights_alone(saved, line, tmp_path):
    path, tensor = tmp_path / "w.pth", tensor_pickle()[2:-1]
    pickled = pickle.dumps(saved, protocol=2).replace(b"X\x06\x00\x00\x00TENSOR", tensor)
    write_zip(path, pickled, [("0", np.arange(6, dtype=np.float32).tobytes())])

    with pytest.raises(ValueError, match=rf"which names argparse.Namespace. .*: import torch; .*{line}"):
        read_tensors(path)


def tensor_pickle(*, num_stored=6, offset=0, shape=(2, 3), stride=(3, 1)):
    """A float32 tensor as torch pickles it, opcode by opcode, with free choice of its numbers."""

    def value(v):
        return pickle.dumps(v, protocol=2)[2:-1]  # without the opcodes of start and end

    storage = b"(" + value("storage") + b"ctorch\nFloatStorage\n" + value("0") + value("cpu") + value(num_stored)
    arguments = b"(" + storage + b"tQ" + value(offset) + value(shape) + value(stride) + b"t"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R."


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"offset": 1}, "reaches beyond its storage of 6 values"),
        ({"shape": (3, 3)}, "reaches beyond its storage of 6 values"),
        ({"stride": (3, 2)}, "reaches beyond its storage of 6 values"),
        ({"shape": (2**40, 2**40), "stride": (0, 0)}, "reaches beyond its storage of 6 values"),
        ({"offset": -1}, "no tensor has shape"),
        ({"stride": (-3, 1)}, "no tensor has shape"),
        ({"stride": (1,)}, "no tensor has shape"),
        ({"num_stored": 5}, "reaches beyond its storage of 5 values"),
        ({"num_stored": 7}, "storage 0 holds 24 bytes instead of 28"),
        ({"num_stored": 2**40}, "does not fit into the file"),
        ({"num_stored": -1}, "does not fit into the file"),
    ],
)
def test_refuses_tensors_that_reach_beyond_their_storage(numbers, reason, tmp_path):
    path, values = tmp_path / "weights.pth", np.arange(6, dtype=np.float32)
    write_zip(path, tensor_pickle(), [("0", values.tobytes())])
    np.testing.assert_array_equal(read_tensors(path), values.reshape(2, 3))

    write_zip(path, tensor_pickle(**numbers), [("0", values.tobytes())])
    with pytest.raises(ValueError, match=reason):
        read_tensors(path)


@pytest.mark.parametrize(
    "body",
    [
        b"}r" + struct.pack("<I", 2**26),  # a memo of 64 million places
        b"\x96" + struct.pack("<Q", 2**34),  # a bytearray of 16 GB
        b"}(" + b")" + b"\x85" * 1_000_000 + b"K\x01u",  # a tuple of a tuple of ..., as a key
        b"}q\x00X\x01\x00\x00\x00ah\x00s",  # a dictionary in itself
        b"ctorch._utils\n_rebuild_parameter\n}X\x01\x00\x00\x00aK\x01sb",  # an attribute for a function
    ],
    ids=["memo", "bytearray", "deep", "itself", "attribute"],
)
@pytest.mark.parametrize("read", [read_tensors, read_pickled_arrays])
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_hostile_pickles_cost_no_memory_and_change_nothing(tmp_path, body, read, kind):
    """They are refused, or read as the little that they hold."""
    path, pickled = tmp_path / "hostile.pth", b"\x80\x02" + body + b"."
    if kind == "zip":
        write_zip(path, pickled)
    else:
        path.write_bytes(pickled)
    tracemalloc.start()
    try:
        with suppress(ValueError):
            assert len(read(path)) <= 1
        assert tracemalloc.get_traced_memory()[1] < 2e8
    finally:
        tracemalloc.stop()
    assert not any(hasattr(make, "a") for make in MAKERS.values())
