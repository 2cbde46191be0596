"""Overlays have the colours of the formula; strips and animations hold every frame at its place."""

import av
import matplotlib
import numpy as np
import pytest
from PIL import Image

from jaxsal.drawing.canvas import Canvas
from jaxsal.drawing.colours import map_bar, map_limits
from jaxsal.drawing.pictures import COLORMAPS, Bar, overlay, save_animation, save_strip

CLIP = np.random.default_rng(0).random((4, 5, 6, 3)).astype(np.float32)
SALIENCY = np.random.default_rng(1).normal(size=(2, 5, 6)).astype(np.float32)
RED, GREEN, BLUE = np.eye(3, dtype=np.uint8) * 255


def solid(colours, height=20, width=30):
    """One frame of one colour after the other."""
    return np.tile(np.array(colours, np.uint8)[:, None, None], (1, height, width, 1))


def mean_colour(picture, box):
    return np.asarray(picture.convert("RGB").crop(box)).reshape(-1, 3).mean(axis=0)


@pytest.mark.parametrize(("colormap", "limits"), [*((name, None) for name in COLORMAPS), ("plasma", (-0.5, 1.0))])
def test_overlay_is_colour_over_grey(colormap, limits):
    low, high = limits or (SALIENCY.min(), np.quantile(SALIENCY, 0.995))
    scaled = np.clip((SALIENCY - low) / (high - low), 0, 1).repeat(2, axis=0)
    grey = CLIP @ np.array([0.299, 0.587, 0.114])
    expected = 0.3 * matplotlib.colormaps[colormap](scaled)[..., :3] + 0.7 * grey[..., None]

    frames = overlay(CLIP, SALIENCY, limits=limits, opacity=0.3, colormap=colormap, fade=False)

    assert frames.dtype == np.uint8
    np.testing.assert_allclose(frames, 255 * expected, atol=0.51)


@pytest.mark.parametrize("limits", [None, (3.0, 3.0), (5.0, 7.0)])
def test_constant_map_is_drawn_low_everywhere(limits):
    frames = overlay(np.zeros_like(CLIP), np.full((4, 5, 6), 3.0), limits=limits, opacity=1, fade=False)
    lowest = np.rint(255 * np.array(matplotlib.colormaps["plasma"](0.0)[:3]))
    np.testing.assert_array_equal(frames, np.broadcast_to(lowest, frames.shape))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(clip=CLIP[..., :1]), r"`clip` must have 3 channels; got shape \(4, 5, 6, 1\)"),
        (dict(saliency=SALIENCY[:, :3]), r"`saliency` must have shape \(T', 5, 6\); got \(2, 3, 6\)"),
        (dict(saliency=np.ones((3, 5, 6))), "`saliency` must divide the clip's 4 frames; got 3"),
        (dict(saliency=np.full((1, 5, 6), np.inf)), "`saliency` must be finite; got values from inf to inf"),
        (dict(limits=(1.0, 0.0)), r"`limits` must be two finite numbers, low <= high; got \(1.0, 0.0\)"),
        (dict(opacity=1.5), r"`opacity` must be in \[0, 1\]; got 1.5"),
        (dict(colormap="jet"), r"`colormap` must be one of \('inferno', .*\); got 'jet'"),
    ],
)
def test_bad_overlays(no_shape_checks, arguments, message):
    with pytest.raises(ValueError, match=message):
        overlay(**dict(clip=CLIP, saliency=SALIENCY) | arguments)


def test_strip_shows_evenly_spaced_frames_of_every_row(tmp_path):
    """Nine frames, three columns: 0, 4 and 8. Rows and columns are 6 pixels apart, counted from the right."""
    shades = [[20 * frame] * 3 for frame in range(9)]
    rows = {"input": solid(shades), "RISE": solid([BLUE] * 9)}

    save_strip(tmp_path / "strip.png", rows, num_frames=3, scale=4)

    strip = Image.open(tmp_path / "strip.png")
    assert strip.format == "PNG"
    right, bottom = strip.size
    for column, frame in enumerate([0, 4, 8]):
        x, y = right - (3 - column) * (120 + 6), bottom - 2 * (80 + 6)
        np.testing.assert_array_equal(mean_colour(strip, (x, y, x + 120, y + 80)), shades[frame])
        np.testing.assert_array_equal(mean_colour(strip, (x, y + 86, x + 120, y + 166)), BLUE)
        assert mean_colour(strip, (x + 40, 0, x + 80, y)).min() < 250, "the frame's number"
    label = mean_colour(strip, (0, bottom - 86, right - 3 * 126, bottom))
    assert label.min() < 250


@pytest.mark.parametrize("title", ["", "a title that is much wider than labels, frames and colour bar together"])
def test_strip_of_one_narrow_frame_has_room_for_its_words_and_the_colour_bar(tmp_path, title):
    """The bar holds the first and the last colour as they come out over black and over white."""
    name = "a label wider than the frames"
    rows = {name: solid([RED], height=60, width=4)}
    bars = {name: Bar(-1234567.0, 0.25, "a unit", opacity=0.5, colormap="viridis", fade=False)}
    save_strip(tmp_path / "plain.png", rows, scale=1, title=title)
    save_strip(tmp_path / "bar.png", rows, scale=1, title=title, bars=bars)

    plain, bar = (np.asarray(Image.open(tmp_path / name)) for name in ("plain.png", "bar.png"))

    for picture in (plain, bar):
        edges = (picture[:, 0], picture[:, -1], picture[-1], *([] if title else [picture[0]]))
        assert all((edge == 255).all() for edge in edges), "nothing is cut off at the edges"
    for colour in 255 * matplotlib.colormaps["viridis"]([0.0, 1.0])[:, :3]:
        for ground in (0, 255):
            drawn = [abs(picture - (0.5 * colour + 0.5 * ground)).max(axis=-1) <= 3 for picture in (plain, bar)]
            assert [near.any() for near in drawn] == [False, True]


def test_faint_parts_fade():
    """Below the median the clip as it is; then opacity and greyness rise, up to the 99.5th percentile."""
    saliency = np.linspace(0, 1, 4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    share = np.clip((saliency - 0.5) / 0.495, 0, 1)
    grey, alpha, part = (CLIP @ np.array([0.299, 0.587, 0.114]))[..., None], 0.7 * share[..., None], share[..., None]
    ground = part * grey + (1 - part) * CLIP
    expected = alpha * matplotlib.colormaps["viridis"](share)[..., :3] + (1 - alpha) * ground
    frames = overlay(CLIP, saliency, opacity=0.7, colormap="viridis")
    np.testing.assert_allclose(frames, 255 * expected, atol=0.51)
    np.testing.assert_array_equal(frames[:2], np.rint(255 * CLIP[:2]))


@pytest.mark.parametrize(
    ("values", "faded", "plain"),
    [
        (np.arange(1001.0), (500, 995), (0, 995)),
        (np.eye(1, 1000)[0], (0, 1), (0, 1)),  # a single salient voxel
        (np.repeat([0.0, 1.0], [400, 600]), (0, 1), (0, 1)),  # the median is the greatest value
        (np.full(10, 7.0), (7, 7), (7, 7)),
    ],
)
def test_limits_of_a_map(values, faded, plain):
    volume = values.reshape(1, 1, -1)
    assert map_limits(volume) == pytest.approx(faded)
    assert map_limits(volume, fade=False) == pytest.approx(plain)
    assert map_bar(volume).beyond == (values.max() > faded[1])


@pytest.mark.parametrize("upright", [True, False])
def test_an_arrow_on_the_bar_says_that_values_exceed_it(upright):
    """A bar of one colour ends in an edge of its full width, or in a tip."""
    ends = []
    for beyond in (False, True):
        canvas = Canvas(100, 100)
        canvas.draw_bar((20, 20), 60, Bar(0.0, 0.0, opacity=1.0, fade=False, beyond=beyond), upright=upright)
        drawn = (np.asarray(canvas.image) == (13, 8, 135)).all(axis=-1)
        lines = drawn.sum(axis=1) if upright else drawn.sum(axis=0)[::-1]
        ends.append(lines[lines > 0][0])
    assert ends[0] == 14
    assert 1 <= ends[1] <= 2


@pytest.mark.parametrize("scale", [1, 2])
def test_a_gif_keeps_smooth_colours(tmp_path, scale):
    """A map over a clip of every brightness, thousands of colours: no pixel is off by more than a tenth."""
    clip = np.tile(np.linspace(0, 1, 80, dtype=np.float32)[:, None, None], (1, 1, 120, 3))
    saliency = np.tile(np.linspace(0, 1, 120, dtype=np.float32), (1, 80, 1))
    frames = overlay(clip, saliency)
    save_animation(tmp_path / "clip.gif", {"map": frames}, scale=scale)
    ((picture,), _) = read_animation(tmp_path / "clip.gif")
    drawn = np.asarray(picture)[52:, 6:][: 80 * scale, : 120 * scale].astype(int)
    error = np.abs(drawn - frames[0].repeat(scale, axis=0).repeat(scale, axis=1)).max(axis=-1)
    assert error.max() <= 25
    assert error.mean() < 7


@pytest.mark.parametrize(("height", "scale"), [(56, 3), (144, 1), (480, 1)])
def test_small_frames_are_enlarged_to_a_legible_height(tmp_path, height, scale):
    rows = {"input": solid([RED], height=height)}
    save_strip(tmp_path / "strip.png", rows)
    red = (np.asarray(Image.open(tmp_path / "strip.png")) == RED).all(axis=-1)
    assert red.sum() == height * 30 * scale**2


def read_animation(path):
    """All pictures and the frames per second."""
    if path.suffix == ".gif":
        with Image.open(path) as gif:
            assert gif.info["loop"] == 0
            pictures = []
            for frame in range(gif.n_frames):
                gif.seek(frame)
                pictures.append(gif.convert("RGB"))
            return pictures, 1000 / gif.info["duration"]
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert (stream.codec.canonical_name, stream.pix_fmt) == ("h264", "yuv420p")
        return [frame.to_image() for frame in container.decode(stream)], float(stream.average_rate)


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_animation_shows_rows_side_by_side(tmp_path, suffix):
    """Odd sizes too: H.264 wants even ones."""
    colours = [RED, GREEN, BLUE, RED, GREEN]
    rows = {"input": solid(colours, 41, 71), "RISE": solid([[frame * 50] * 3 for frame in range(5)], 41, 71)}

    save_animation(tmp_path / f"clip{suffix}", rows, fps=5, scale=1)

    pictures, fps = read_animation(tmp_path / f"clip{suffix}")
    assert len(pictures) == 5
    assert fps == 5
    for frame, picture in enumerate(pictures):
        width, height = picture.size
        assert width % 2 == height % 2 == 0
        middle = height - 6 - 20
        for column, colour in enumerate([colours[frame], [frame * 50] * 3]):
            x = 6 + column * 89 + 35
            box = (x - 20, middle - 10, x + 20, middle + 10)
            np.testing.assert_allclose(mean_colour(picture, box), colour, atol=8)
            assert mean_colour(picture, (x - 30, 26, x + 30, 50)).min() < 250, "the caption"
    numbers = [np.asarray(picture.convert("L").crop((width - 60, 0, width, 26))) for picture in pictures]
    assert all((number < 128).any() for number in numbers)
    assert (numbers[3] != numbers[4]).any(), "the frame's number"


@pytest.mark.parametrize("save", [save_strip, save_animation])
@pytest.mark.parametrize(
    ("rows", "options", "error", "message"),
    [
        ({}, {}, ValueError, "`rows` must hold at least one clip; got none"),
        (dict(a=solid([RED]), b=solid([RED, RED])), {}, ValueError, r"one shape; got .*\(2, 20, 30, 3\)"),
        (dict(a=solid([RED])[0]), {}, ValueError, r"`rows` must be frames \(T, H, W, 3\)"),
        (dict(a=solid([RED]) / 255.0), {}, TypeError, "`rows` must hold uint8 frames; got float64 for 'a'"),
        (dict(a=solid([RED])), dict(scale=0), ValueError, "`scale` must be at least 1; got 0"),
    ],
)
def test_bad_rows(no_shape_checks, tmp_path, save, rows, options, error, message):
    with pytest.raises(error, match=message):
        save(tmp_path / ("a.png" if save is save_strip else "a.gif"), rows, **options)


def test_bad_files_and_counts(tmp_path):
    rows = {"input": solid([RED])}
    with pytest.raises(ValueError, match=r"`path` must end in one of \('.png',\); got '.*strip.gif'"):
        save_strip(tmp_path / "strip.gif", rows)
    with pytest.raises(ValueError, match=r"`path` must end in one of \('.gif', '.mp4'\); got '.*clip.avi'"):
        save_animation(tmp_path / "clip.avi", rows)
    with pytest.raises(ValueError, match="`num_frames` must be at least 1; got 0"):
        save_strip(tmp_path / "strip.png", rows, num_frames=0)
    with pytest.raises(ValueError, match="`fps` must be above 0; got 0"):
        save_animation(tmp_path / "clip.gif", rows, fps=0)
    with pytest.raises(ValueError, match="`colormap` must be one of"):
        save_strip(tmp_path / "strip.png", rows, bars={"input": Bar(0, 1, colormap="jet")})
    with pytest.raises(ValueError, match=r"`bars` must be of the rows \['input'\]; got 'RISE'"):
        save_animation(tmp_path / "clip.gif", rows, bars={"RISE": Bar(0, 1)})
    assert not list(tmp_path.iterdir())
