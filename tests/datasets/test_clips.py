"""Recordings made on the fly, in every kind of file, against the frames they were made of."""

import os

import av
import numpy as np
import pytest
from PIL import Image

import golden
from jaxsal.datasets.clips import read_frames, resize_and_crop


def moving_square(num_frames=6, height=48, width=64):
    """A bright square that moves by 8 pixels a frame over a dark ground."""
    frames = np.full((num_frames, height, width, 3), (10, 20, 30), np.uint8)
    for t in range(num_frames):
        frames[t, 16:32, 8 * t : 8 * t + 16] = (250, 200, 0)
    return frames


def write_video(path, frames, codec="ffv1", pixel_format="bgr0", frame_format="rgb24", **options):
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=frame_format)))
        container.mux(stream.encode())
    return path


def write_images(folder, frames, names):
    folder.mkdir()
    for name, frame in zip(names, frames, strict=True):
        Image.fromarray(frame).save(folder / name)
    return folder


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.avi", "mpeg4")])
def test_lossy_video_is_close_to_its_frames(tmp_path, name, codec):
    frames = moving_square()
    got = read_frames(write_video(tmp_path / name, frames, codec, "yuv420p"))
    assert got.shape == frames.shape
    assert got.dtype == np.uint8
    assert np.abs(got.astype(int) - frames).mean() < 5
    assert np.abs(got[::-1].astype(int) - frames).mean() > 10


def test_lossless_video_is_exact_in_any_range_of_frames(tmp_path):
    frames = moving_square()
    path = write_video(tmp_path / "a.mkv", frames)
    np.testing.assert_array_equal(read_frames(path), frames)
    np.testing.assert_array_equal(read_frames(path, start=2, stop=5), frames[2:5])
    np.testing.assert_array_equal(read_frames(str(path), start=5), frames[5:])


@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_gif_frames_are_composed(tmp_path, disposal):
    """Each GIF picture but the first holds the changed rectangle only."""
    frames = moving_square()
    first, *others = [Image.fromarray(frame).quantize(4) for frame in frames]
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, disposal=disposal, duration=40)
    np.testing.assert_array_equal(read_frames(tmp_path / "a.gif"), frames)


def test_images_are_read_in_the_order_of_their_numbers(tmp_path):
    frames = moving_square(4)
    folder = write_images(tmp_path / "a", frames, ["f_2.png", "f_010.png", "f_9.png", "f_100.PNG"])
    (folder / "notes.txt").write_text("not an image")
    (folder / "._f_2.png").write_text("not an image either")
    np.testing.assert_array_equal(read_frames(folder), frames[[0, 2, 1, 3]])
    np.testing.assert_array_equal(read_frames(folder, start=1, stop=3), frames[[2, 1]])


def test_images_outside_the_range_are_not_opened(tmp_path):
    frames = moving_square(2)
    folder = write_images(tmp_path / "a", frames, ["1.png", "2.png"])
    (folder / "3.png").write_bytes(b"broken")
    np.testing.assert_array_equal(read_frames(folder, stop=2), frames)


IMAGE_KINDS = [
    *((name, mode) for name in ("1.png", "1.tif") for mode in ("L", "RGB", "P", "RGBA", "LA")),
    *(("1.bmp", mode) for mode in ("L", "RGB", "P")),
    *(("1.JPG", mode) for mode in ("L", "RGB")),
]


@pytest.mark.parametrize(("name", "mode"), IMAGE_KINDS)
def test_grey_colour_palette_and_alpha_images(tmp_path, name, mode):
    colour = Image.fromarray(moving_square(1)[0])
    image = colour.quantize(4) if mode == "P" else colour.convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / name)
    with Image.open(tmp_path / "a" / name) as stored:
        assert stored.mode == mode
    expected = np.asarray(colour.convert("L").convert("RGB") if mode in ("L", "LA") else colour)
    difference = np.abs(read_frames(tmp_path / "a")[0].astype(int) - expected)
    assert difference.mean() < 2 if name == "1.JPG" else difference.max() == 0


@pytest.mark.parametrize("name", ["1.png", "1.tif"])
def test_deep_grey_images_use_the_full_range_or_the_given_one(tmp_path, name):
    counts = np.array([[0, 257, 1000, 2000, 3000, 65535]], np.uint16)
    folder = write_images(tmp_path / "a", [counts], [name])
    full = read_frames(folder)
    np.testing.assert_array_equal(full[0, 0, :, 0], [0, 1, 4, 8, 12, 255])
    assert (full[..., :1] == full).all()
    ranged = read_frames(folder, value_range=(1000, 3000))
    np.testing.assert_array_equal(ranged[0, 0, :, 0], [0, 0, 0, 128, 255, 255])


@pytest.mark.parametrize(("dtype", "channels"), [(np.int16, ()), (np.float32, (1,)), (np.uint8, (3,))])
def test_arrays_of_any_type_are_mapped_by_value_range(tmp_path, dtype, channels):
    """Bytes and truths need none."""
    values = (np.arange(4 * 2 * 3).reshape(4, 2, 3) + 50).astype(dtype)
    values = np.broadcast_to(values.reshape(*values.shape, *(1 for _ in channels)), (*values.shape, *channels))
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", counts=values, seconds=np.arange(4.0))
    expected = np.clip(np.rint((np.arange(24).reshape(4, 2, 3) - 10) * 25.5), 0, 255)
    for name in ("a.npy", "a.npz"):
        got = read_frames(tmp_path / name, start=1, stop=4, value_range=(60, 70))
        np.testing.assert_array_equal(got, np.repeat(expected[1:, ..., None], 3, axis=-1))
    np.save(tmp_path / "b.npy", values > 60)
    np.testing.assert_array_equal(read_frames(tmp_path / "b.npy")[..., 2], 255 * (expected > 0))
    np.save(tmp_path / "c.npy", expected.astype(np.uint8))
    np.testing.assert_array_equal(read_frames(tmp_path / "c.npy")[..., 2], expected)


@pytest.mark.parametrize(
    ("array", "value_range", "message"),
    [
        (np.zeros((4, 4)), (0, 1), r"`path` must hold \(L, H, W\) or \(L, H, W, 3\) values; got .*, with \(4, 4\)"),
        (np.zeros((2, 4, 4, 5)), (0, 1), r"got .*, with \(2, 4, 4, 5\)"),
        (np.zeros((2, 4, 4), complex), (0, 1), "`path` must hold real numbers; got .*, with complex128"),
        (np.full((2, 4, 4), np.nan), (0, 1), "`path` must hold numbers; got .*, where frame 0 has NaN in row 0, colu"),
        (np.zeros((2, 4, 4), np.int16), None, "`value_range` must be given for int16 values"),
        (np.zeros((2, 4, 4)), (3, 3), "`value_range` must be two finite numbers"),
        (np.zeros((2, 4, 4)), (0, np.inf), "`value_range` must be two finite numbers"),
    ],
)
def test_arrays_that_are_no_frames(tmp_path, array, value_range, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=message):
        read_frames(tmp_path / "a.npy", value_range=value_range)


def test_paths_that_are_no_recording(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`path` must exist; got .*nothing\.mp4"):
        read_frames(tmp_path / "nothing.mp4")
    with pytest.raises(ValueError, match=r"`path` must hold images \(\.png"):
        read_frames(tmp_path)
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"got .*a\.txt.* A recording is a video .*\.npz.* folder of images \(\.png"):
        read_frames(tmp_path / "a.txt")


def test_archive_of_two_recordings_is_ambiguous(tmp_path):
    np.savez(tmp_path / "a.npz", one=np.zeros((2, 4, 4)), two=np.zeros((2, 4, 4)))
    with pytest.raises(ValueError, match=r"`path` must hold one array of 3 or 4 axes; got .*, with \['one', 'two'\]"):
        read_frames(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"nonsense"])
def test_broken_array_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="`path` must be a readable array file"):
        read_frames(tmp_path / name)


@pytest.mark.parametrize("content", [b"", os.urandom(4000)])
def test_unreadable_video(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=r"`path` must be a whole, readable video; got .* after 0 frames"):
        read_frames(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("a.mp4", "libx264", {"movflags": "faststart"}), ("a.avi", "mpeg4", {})],
)
def test_truncated_video_names_how_many_frames_were_read(tmp_path, name, codec, options):
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), dtype=np.uint8)
    path = write_video(tmp_path / name, noise, codec, "yuv420p", **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"`path` must be a whole, readable video; .* after [1-9]\d* frames"):
        read_frames(path)
    assert len(read_frames(path, stop=5)) == 5


def test_video_cut_between_two_frames(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), dtype=np.uint8)
    path = write_video(tmp_path / "a.avi", noise, "mpeg4", "yuv420p")
    with av.open(path) as container:
        positions = [packet.pos for packet in container.demux(video=0) if packet.pos]
    path.write_bytes(path.read_bytes()[: positions[12]])
    message = r"`path` must be a whole, readable video; got .*a\.avi, where .* after 12 frames: .*\(stop=12 reads those"
    with pytest.raises(ValueError, match=message):
        read_frames(path)
    assert len(read_frames(path, stop=12)) == 12


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match="`path` must hold a video stream"):
        read_frames(tmp_path / "a.mp4")


def test_broken_image_is_named(tmp_path):
    folder = write_images(tmp_path / "a", moving_square(1), ["1.png"])
    (folder / "2.png").write_bytes((folder / "1.png").read_bytes()[:60])
    with pytest.raises(ValueError, match=r"`path` must hold readable images; got .*2\.png"):
        read_frames(folder)


def test_images_of_different_sizes(tmp_path):
    frames = [np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8), np.zeros((5, 6), np.uint8)]
    folder = write_images(tmp_path / "a", frames, ["1.png", "2.png", "3.png"])
    with pytest.raises(ValueError, match=r"one size; got .*, where frame 2 has \(5, 6\) and the first \(4, 6\)"):
        read_frames(folder)


@pytest.mark.parametrize("kind", ["video", "images", "array"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1}, "`start` must be at least 0; got -1"),
        ({"start": 3, "stop": 3}, "`stop` must be greater than `start`, 3; got 3"),
        ({"start": 6}, "`start` must be below 6, the frames of .*; got 6"),
        ({"stop": 7}, "`stop` must be at most 6, the frames of .*; got 7"),
    ],
)
def test_range_of_frames_that_is_not_there(tmp_path, kind, options, message):
    frames = moving_square()
    if kind == "video":
        path = write_video(tmp_path / "a.mkv", frames)
    elif kind == "images":
        path = write_images(tmp_path / "a", frames, [f"{t}.png" for t in range(6)])
    else:
        path = tmp_path / "a.npy"
        np.save(path, frames)
    with pytest.raises(ValueError, match=message):
        read_frames(path, **options)


def test_resize_and_crop_equals_torch():
    reference = golden.load("pipeline")
    clip = resize_and_crop(reference["frames_u8"], short_side=24, crop=20)
    golden.assert_close("pipeline", "c3d.cropped", clip.transpose(0, 3, 1, 2))
    square = resize_and_crop(reference["frames_u8"], short_side=24, crop=24)
    np.testing.assert_allclose(square, reference["c3d.resized"][..., 4:28].transpose(0, 2, 3, 1), atol=1e-6, rtol=1e-5)


def test_antialiased_resize_equals_pil_but_for_its_rounding():
    """PIL rounds to whole levels after each axis, so two roundings of at most 1/2 lie between."""
    reference = golden.load("pipeline")
    clip = resize_and_crop(reference["frames_u8"], short_side=24, crop=20, antialias=True)
    stacked = (255 * clip).transpose(0, 3, 1, 2).reshape(12, 20, 20)
    np.testing.assert_allclose(stacked, reference["pan.cropped_u8"], atol=1.01)
    assert np.abs(stacked - reference["pan.cropped_u8"]).mean() < 0.4


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(("height", "width"), [(24, 32), (320, 240), (7, 301)])
def test_resize_keeps_ramps_and_stays_in_range(height, width, antialias):
    """Linear interpolation keeps a linear ramp, away from the border."""
    ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8)[:, None], (1, height, width, 3))
    clip = resize_and_crop(ramp, short_side=64, crop=56, antialias=antialias)
    assert clip.shape == (1, 56, 56, 3)
    assert clip.dtype == np.float32
    assert clip.min() >= 0
    assert clip.max() <= 1
    new_width = int(64 * width / min(height, width))
    centres = (np.arange(56) + 0.5 + round((new_width - 56) / 2)) / new_width
    expected = (centres * width - 0.5) / (width - 1)
    np.testing.assert_allclose(clip[0, 28, 4:-4, 1], expected[4:-4], atol=1.5 / 255)
    assert resize_and_crop(np.full_like(ramp, 255), short_side=64, crop=56).max() == 1


def test_frames_and_crops_that_do_not_fit():
    for crop in (0, 257):
        with pytest.raises(ValueError, match=f"`crop` must be in 1..`short_side`, 256; got {crop}"):
            resize_and_crop(np.zeros((1, 16, 16, 3), np.uint8), crop=crop)
    with pytest.raises(ValueError, match=r"`frames` must not be empty; got shape \(1, 0, 4, 3\)"):
        resize_and_crop(np.zeros((1, 0, 4, 3), np.uint8))
