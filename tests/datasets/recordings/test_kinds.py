"""Recordings of every kind of file that cameras write, made on the fly, against the frames they were made of."""

import struct

import av
import numpy as np
import pytest
import tifffile
from PIL import Image

from jaxsal.datasets.clips import read_frames
from jaxsal.datasets.recordings.folder import series_of
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.datasets.recordings.orientation import of_exif
from jaxsal.datasets.recordings.recording import Reading

FRAMES = np.random.default_rng(0).integers(0, 255, (24, 32, 48, 3), dtype=np.uint8)


def write_video(path, frames, codec, pixel_format, frame_format="rgb24", container_format=None):
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixel_format
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=frame_format)))
        container.mux(stream.encode())
    return path


def raw(path):
    recording = open_recording(path)
    return np.stack(list(recording.raw(range(recording.length))))


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_deep_grey_video_keeps_its_samples(tmp_path, bits):
    counts = np.random.default_rng(1).integers(0, 2**bits, (5, 16, 24)).astype(np.uint16)
    path = write_video(tmp_path / "a.mkv", counts, "ffv1", f"gray{bits}le", f"gray{bits}le")
    np.testing.assert_array_equal(raw(path), counts)
    assert open_recording(path).full_range == (0, 2**bits - 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint16, np.int16])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_deep_tiff_keeps_its_samples(tmp_path, dtype, channels):
    values = (290 + np.arange(4 * 6 * 8).reshape(4, 6, 8)).astype(dtype)
    values = np.ascontiguousarray(
        np.broadcast_to(values.reshape(*values.shape, *(1 for _ in channels)), (4, 6, 8, *channels))
    )
    photometric = "rgb" if channels else "minisblack"
    tifffile.imwrite(tmp_path / "stack.tif", values, photometric=photometric)
    np.testing.assert_array_equal(raw(tmp_path / "stack.tif"), values)


def test_deep_colour_png_keeps_its_samples(tmp_path):
    colour = np.random.default_rng(2).integers(0, 65536, (1, 6, 8, 3)).astype(np.uint16)
    write_video(tmp_path / "0.png", colour, "png", "rgb48be", "rgb48le", "image2pipe")
    np.testing.assert_array_equal(raw(tmp_path), colour)


@pytest.mark.parametrize("name", ["a.ts", "a.flv", "a.nut", "noending"])
def test_the_suffix_does_not_matter(tmp_path, name):
    kind = {"a.ts": "mpegts", "a.flv": "flv", "a.nut": "nut", "noending": "mp4"}[name]
    path = write_video(tmp_path / name, FRAMES, "libx264" if kind != "flv" else "flv", "yuv420p", container_format=kind)
    assert len(read_frames(path)) == 24


@pytest.mark.parametrize("start", [0, 11, 12, 13, 23])
def test_frames_are_the_same_from_any_start(tmp_path, start):
    """A seek to a key frame, with frames that refer to later ones, gives what decoding from the first frame gives."""
    path = write_video(tmp_path / "a.mp4", np.tile(FRAMES, (2, 1, 1, 1)), "libx264", "yuv420p")
    with av.open(str(path)) as container:
        expected = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    np.testing.assert_array_equal(read_frames(path, start=start, stop=start + 3), expected[start : start + 3])
    assert open_recording(path).rate == pytest.approx(25)


def test_far_frames_are_read_without_what_lies_between(tmp_path):
    """Frames at both ends of a video whose middle cannot be decoded, as those of the whole one."""
    path = write_video(tmp_path / "a.mkv", np.tile(FRAMES, (5, 1, 1, 1)), "ffv1", "bgr0")
    places = [0, 1, 119, 118, 0]
    expected = open_recording(path).read(places)
    with av.open(str(path)) as container:
        sizes = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for place, size in sizes[40:80]:
        content[place + 16 : place + size] = bytes(size - 16)
    path.write_bytes(content)
    np.testing.assert_array_equal(open_recording(path).read(places), expected)
    with pytest.raises(ValueError, match=r"whole, readable video; got .*, where decoding failed at frame 4\d"):
        open_recording(path).read(range(120))


def test_a_trimmed_video_has_the_frames_that_its_edit_list_shows(tmp_path):
    """Cut at frame 17 without re-encoding: the file still holds the frames from the key frame before."""
    smooth = np.kron(FRAMES[:, ::8, ::8], np.ones((1, 8, 8, 1), np.uint8))
    path = write_video(tmp_path / "whole.mp4", np.tile(smooth, (2, 1, 1, 1)), "libx264", "yuv420p")
    frames = read_frames(path)
    with av.open(str(path)) as whole, av.open(str(tmp_path / "trimmed.mp4"), "w") as trimmed:
        stream = trimmed.add_stream_from_template(whole.streams.video[0])
        packets = [packet for packet in whole.demux(video=0) if packet.size]
        cut = sorted(packet.pts for packet in packets)[17]
        for packet in packets[max(n for n, p in enumerate(packets) if p.is_keyframe and p.pts <= cut) :]:
            packet.pts, packet.dts, packet.stream = packet.pts - cut, packet.dts - cut, stream
            trimmed.mux(packet)
    recording = open_recording(tmp_path / "trimmed.mp4")
    assert (recording.length, recording.end) == (31, "")
    assert recording.times[:2] == pytest.approx([0, 0.04])
    np.testing.assert_array_equal(recording.read(range(31)), frames[17:])
    np.testing.assert_array_equal(recording.read([29]), frames[46:47])


@pytest.mark.parametrize(
    ("matrix", "turns", "said"),
    [
        ((0, 1, -1, 0), -1, "turned by 90 degrees clockwise"),
        ((-1, 0, 0, -1), 2, "turned by 180 degrees"),
        ((0, -1, 1, 0), 1, "turned by 90 degrees counterclockwise"),
    ],
)
def test_videos_are_turned_as_their_display_matrix_says(tmp_path, matrix, turns, said):
    """The matrix (a, b, c, d) of the track's header, as phones write it: x' = a x + c y, y' = b x + d y."""
    path = write_video(tmp_path / "a.mp4", FRAMES[:4], "libx264", "yuv420p")
    upright = read_frames(path)
    content = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", content, content.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    recording = open_recording(path)
    np.testing.assert_array_equal(recording.read(range(4)), np.rot90(upright, turns, axes=(1, 2)))
    assert recording.size == recording.read([0]).shape[1:3]
    assert recording.notes == (f"Frames of {path} are {said}, as the file says.",)


def test_a_second_video_stream_is_said_and_can_be_picked(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        for _ in range(2):
            stream = container.add_stream("ffv1", rate=25)
            stream.height, stream.width, stream.pix_fmt = 32, 48, "bgr0"
        for picture in FRAMES[:3]:
            for stream, frame in zip(container.streams.video, (picture, 255 - picture), strict=True):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        for stream in container.streams.video:
            container.mux(stream.encode())
    assert (
        "has 2 video streams; stream 0 is read, `stream` picks another" in open_recording(tmp_path / "a.mkv").notes[0]
    )
    np.testing.assert_array_equal(read_frames(tmp_path / "a.mkv"), FRAMES[:3])
    second = open_recording(tmp_path / "a.mkv", Reading(stream=1))
    np.testing.assert_array_equal(second.read(range(3)), 255 - FRAMES[:3])
    assert second.notes == ()
    with pytest.raises(ValueError, match=r"`stream` must be below 2, the video streams of .*; got 2"):
        open_recording(tmp_path / "a.mkv", Reading(stream=2))


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_animations_have_all_their_pictures_and_times(tmp_path, suffix):
    first, *others = [Image.fromarray(frame) for frame in FRAMES[:4]]
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=others, duration=200, lossless=True)
    recording = open_recording(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(recording.read(range(4)), FRAMES[:4])
    np.testing.assert_allclose(recording.times, [0, 0.2, 0.4, 0.6])


def test_photographs_are_turned_and_it_is_said(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(FRAMES[0]).save(tmp_path / "0.png", exif=exif)
    np.testing.assert_array_equal(read_frames(tmp_path)[0], np.rot90(FRAMES[0], -1))
    assert "turned by 90 degrees clockwise, as 0.png says" in open_recording(tmp_path).notes[0]
    assert [of_exif(number).text for number in (1, 3, 8)] == [
        "",
        "turned by 180 degrees",
        "turned by 90 degrees counterclockwise",
    ]


def test_bands_beyond_rgb_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "0.tif", np.zeros((6, 8, 5), np.uint8), photometric="rgb", planarconfig="contig")
    with pytest.raises(ValueError, match=r"`path` must hold grey or RGB pictures; got .*0\.tif, with 5 bands"):
        read_frames(tmp_path)


@pytest.mark.parametrize(
    ("names", "series"),
    [
        (["DJI_0_T.JPG", "DJI_0_W.JPG", "DJI_1_T.JPG", "DJI_1_W.JPG"], ["*_T.JPG", "*_W.JPG"]),
        (["f1.jpg", "f1.tiff", "f2.jpg", "f2.tiff"], ["*.jpg", "*.tiff"]),
        (["ir_1.png", "rgb_1.png", "ir_2.png", "rgb_2.png"], ["ir_*", "rgb_*"]),
        (["cam1_1.png", "cam2_1.png", "cam1_2.png", "cam2_2.png"], ["cam1_*.png", "cam2_*.png"]),
        (["a.png", "b.png"], ["*"]),
        (["f_09.png", "f_10.PNG"], ["*"]),
        (["t_120000_040.png", "t_120000_080.png", "t_120001_000.png"], ["*"]),
    ],
)
def test_series_are_told_apart(names, series):
    assert series_of(names) == series


def test_a_pattern_picks_a_series(tmp_path):
    for t in range(2):
        Image.fromarray(FRAMES[t]).save(tmp_path / f"DJI_{t}_W.PNG")
        Image.fromarray(FRAMES[t][..., 0]).save(tmp_path / f"DJI_{t}_T.PNG")
    with pytest.raises(ValueError, match=r"one series of images; got .*, with \*_T.PNG and \*_W.PNG"):
        read_frames(tmp_path)
    np.testing.assert_array_equal(read_frames(tmp_path, pattern="*_w.png"), FRAMES[:2])


def test_dead_pixels_are_refused_with_their_place(tmp_path):
    counts = (29_000 + np.arange(4 * 20 * 20).reshape(4, 20, 20)).astype(np.uint16)
    counts[:, 3, 7] = 0
    np.save(tmp_path / "a.npy", counts)
    with pytest.raises(ValueError, match=r"without dead pixels; got .*, where row 3, column 7 is 0 in all frames"):
        read_frames(tmp_path / "a.npy", value_range="auto")
