"""Small files that announce giant contents: refused before anything of them is decoded."""

import struct
import zlib

import numpy as np
import pytest

from jaxsal.datasets.recordings.opening import open_recording


def png(width, height):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


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


@pytest.fixture
def video(tmp_path):
    """A film of two frames, 32 x 16 pixels, with a second of plain sound: 48,000 samples, each a frame of its track."""
    av = pytest.importorskip("av")
    path = tmp_path / "walk.mov"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=2, width=32, height=16)
        sound = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        for grey in (0, 99):
            frame = av.VideoFrame.from_ndarray(np.full((16, 32, 3), grey, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.int16), format="s16", layout="mono")
        samples.sample_rate = 48000
        container.mux(sound.encode(samples))
    return path


def test_videos_of_more_pixels_than_the_limit(video, monkeypatch):
    monkeypatch.setenv("JAXSAL_MAX_PIXELS", "511")
    with pytest.raises(ValueError, match="at most 511 pixels a frame; got .*walk.mov, which announces 512"):
        open_recording(video)
    monkeypatch.setenv("JAXSAL_MAX_PIXELS", "512")
    assert open_recording(video).length == 2


def announcing(content, number):
    """A film whose frames have one size, so that none is listed, and are so many, all in one run."""
    for box, offset, value in ((b"stsz", 8, 1), (b"stsz", 12, number), (b"stsc", 16, number)):
        place = content.find(box) + offset
        content = content[:place] + struct.pack(">I", value) + content[place + 4 :]
    return content


def fragment(number):
    """A fragment of frames without a byte for each."""
    content = struct.pack(">I4sII", 16, b"trun", 0, number)
    for name in (b"traf", b"moof"):
        content = struct.pack(">I4s", 8 + len(content), name) + content
    return content


def test_videos_of_more_frames_than_the_limit(video, monkeypatch):
    """An index of them all would be 24 bytes a frame, in memory, whether they are there or not."""
    monkeypatch.setenv("JAXSAL_MAX_FRAMES", "1000")
    assert open_recording(video).length == 2  # samples of sound are no frames
    whole = video.read_bytes()
    for content, number in ((announcing(whole, 80_000_000), "80,000,"), (whole + fragment(2**31), "2,147,483,")):
        video.write_bytes(content)
        with pytest.raises(ValueError, match=f"at most 1,000 frames; got .*walk.mov, which announces {number}"):
            open_recording(video)
    video.write_bytes(whole.replace(b"mvhd", b"cmov"))
    with pytest.raises(ValueError, match="`path` must have a plain header; got .*walk.mov"):
        open_recording(video)
