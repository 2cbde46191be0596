"""Small files that announce giant contents: refused before anything of them is decoded."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest

from jaxsal.datasets.recordings.opening import open_recording


def npy(shape, content=b""):
    header = repr(dict(descr="|u1", fortran_order=False, shape=shape)).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + content


def png(width, height):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("shape", [(-3, 4, 4), (10**9, 10**9, 4), (10**30, 4, 4), (3, 4, 4)])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_arrays_that_are_not_there(tmp_path, shape, suffix):
    path, content = tmp_path / f"walk{suffix}", npy(shape)
    if suffix == ".npz":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("frames.npy", content)
        content = packed.getvalue()
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"`path` must be a readable array file; got .*walk{suffix}"):
        open_recording(path)


def test_arrays_that_unpack_to_more_than_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "walk.npz"
    np.savez_compressed(path, frames=np.zeros((9, 100, 100), np.uint8))
    monkeypatch.setenv("JAXSAL_MAX_UNPACKED", "90000")
    with pytest.raises(ValueError, match="at most 90,000 bytes when unpacked; .*export JAXSAL_MAX_UNPACKED=90128"):
        open_recording(path)
    monkeypatch.setenv("JAXSAL_MAX_UNPACKED", "90128")
    assert open_recording(path).length == 9


def test_pictures_of_more_pixels_than_the_limit(tmp_path):
    (tmp_path / "frame1.png").write_bytes(png(9000, 9000))
    with pytest.raises(ValueError, match=r"67,108,864 pixels a frame; got .*frame1.png.*81,000,000.*JAXSAL_MAX_PIXELS"):
        open_recording(tmp_path)


def test_videos_of_more_pixels_than_the_limit(tmp_path, monkeypatch):
    av = pytest.importorskip("av")
    path = tmp_path / "walk.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=32, height=16)
        for grey in (0, 99):
            frame = av.VideoFrame.from_ndarray(np.full((16, 32, 3), grey, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    monkeypatch.setenv("JAXSAL_MAX_PIXELS", "511")
    with pytest.raises(ValueError, match="at most 511 pixels a frame; got .*walk.mp4, which announces 512"):
        open_recording(path)
    monkeypatch.setenv("JAXSAL_MAX_PIXELS", "512")
    assert open_recording(path).length == 2
