"""What a network saw at a place of its input is drawn at that place of the recording's frames."""

import numpy as np
import pytest
from PIL import ExifTags, Image

from jaxsal.datasets.channels import BRIGHTNESS
from jaxsal.datasets.recordings.excerpt import Box, Cut, Excerpt, take
from jaxsal.datasets.recordings.opening import open_recording
from jaxsal.drawing.colours import map_bar
from jaxsal.drawing.pictures import overlay
from jaxsal.drawing.recording import (
    Ground,
    box_pixels,
    frame_labels,
    frame_rate,
    ground_of,
    input_ground,
    on_frames,
)


def on_whole(values, box, size):
    """The map at every pixel of the frame, 0 outside the box."""
    whole = np.zeros((len(values), *size))
    rows, columns = box_pixels(box, size)
    whole[:, rows, columns] = on_frames(values, box, size)
    return whole


@pytest.mark.parametrize("cut", [Cut(32, 32), Cut(40, 28), Cut(100, 60), Cut(17, 9, True), None])
@pytest.mark.parametrize("size", [(48, 64), (64, 48), (50, 91), (20, 20)])
def test_a_blob_comes_back_to_its_place(cut, size):
    """A map that is linear in a frame's rows and columns is, cut and drawn back, linear with the same coefficients."""
    box = Excerpt("", (0,), None, None, size, cut).box
    count = (12, 15)
    rows, columns = (
        start + (np.arange(n) + 0.5) / n * length for start, length, n in zip(box[:2], box[2:], count, strict=True)
    )
    values = (3 * rows[:, None] - 2 * columns)[None]

    drawn, (down, across) = on_frames(values, box, size)[0], box_pixels(box, size)

    places = np.meshgrid(np.arange(size[0])[down] + 0.5, np.arange(size[1])[across] + 0.5, indexing="ij")
    inner = [(place >= along[0]) & (place <= along[-1]) for place, along in zip(places, (rows, columns), strict=True)]
    expected = 3 * places[0] - 2 * places[1]
    reduced = max(n / length for n, length in zip(count, box[2:], strict=True)) > 1
    inside = inner[0] & inner[1]
    assert inside.any()
    if not reduced:
        np.testing.assert_allclose(drawn[inside], expected[inside], atol=1e-3)
    assert abs(drawn - expected).max() < 3 * box.height / count[0] + 2 * box.width / count[1] + 1


@pytest.mark.parametrize("cut", [Cut(32, 32), Cut(40, 28), Cut(24, 20, True)])
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_what_is_bright_in_a_turned_recording_is_bright_in_its_map(tmp_path, cut, turned):
    """The clip itself as the map: drawn back, its brightest place is where the frame as shown has it."""
    stored = np.zeros((4, 48, 64, 3), np.uint8)
    stored[:, 20:26, 30:36] = 255
    path = tmp_path / "turned"
    write_turned(path, stored, turned)
    excerpt = take(open_recording(path), np.array([0, 2]), cut=cut)

    clip = excerpt.clip()
    ground = ground_of(clip, excerpt)

    shown = np.rot90(stored[:2], -turned // 90, axes=(1, 2)) if turned else stored[:2]
    assert ground.size == excerpt.size == shown.shape[1:3]
    back = on_whole(clip.mean(axis=-1), ground.box, ground.size)[0]
    weights = ground.frames[0].astype(float).mean(axis=-1)
    centre = [np.average(axis, weights=weights) for axis in np.indices(weights.shape)]
    found = [np.average(axis, weights=back) for axis in np.indices(back.shape)]
    np.testing.assert_allclose(found, centre, atol=0.3)


def write_turned(folder, frames, degrees):
    """Writes pictures whose files say that they are to be turned."""
    folder.mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = {0: 1, 90: 6, 180: 3, 270: 8}[degrees]
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number}.png", exif=exif)


def test_maps_are_drawn_on_the_box_alone():
    """Outside it the recording is as it was; on the clip itself the result is that of `overlay`."""
    rng = np.random.default_rng(0)
    frames, saliency = rng.integers(0, 256, (4, 20, 30, 3), dtype=np.uint8), rng.random((2, 10, 10)).astype(np.float32)
    ground = Ground(frames, Box(0, 5, 20, 20), list("abcd"))
    drawn = ground.overlay(saliency, map_bar(saliency))
    outside = np.ones((20, 30), bool)
    outside[:, 5:25] = False
    np.testing.assert_array_equal(drawn[:, outside], frames[:, outside])
    assert (drawn[:, ~outside] != frames[:, ~outside]).any()
    edge = (ground.outlined(np.zeros_like(frames)) == 255).all(axis=-1)[0]
    assert edge[:, [5, 24]].all()
    assert edge.sum() == 40
    large = Ground(
        np.random.default_rng(1).integers(0, 256, (1, 150, 160, 3), dtype=np.uint8), Box(10, 20, 90, 90), "0"
    )
    drawn, (pixels, colours) = large.frames.copy(), large.edge  # white, and black within
    drawn[:, pixels] = colours
    np.testing.assert_array_equal(drawn, large.outlined(large.frames))
    assert {tuple(colour) for colour in colours.tolist()} == {(0, 0, 0), (255, 255, 255)}

    clip = frames[:, :10, :10] / np.float32(255)
    itself = input_ground(clip)
    np.testing.assert_allclose(itself.overlay(saliency, map_bar(saliency)).astype(int), overlay(clip, saliency), atol=1)
    np.testing.assert_array_equal(itself.outlined(itself.frames), itself.frames)
    with pytest.raises(ValueError, match="`saliency` must divide the 4 frames; got 3"):
        ground.overlay(np.zeros((3, 10, 10), np.float32), map_bar(saliency))


def test_a_recording_that_changed_or_is_gone_is_not_drawn_on(tmp_path):
    """The clip then is the ground, and a note says why; a clip of one channel is still that of its recording."""
    path, frames = tmp_path / "walk.npy", np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)
    np.save(path, frames)
    excerpt = take(open_recording(path), np.array([1, 3]), cut=Cut(16, 12))
    clip = excerpt.clip()
    for same in (clip, clip[..., :1], clip @ np.array(BRIGHTNESS, np.float32)[:, None]):
        assert (ground_of(same, excerpt).name, ground_of(same, excerpt).note) == ("recording", "")
    assert ground_of(clip, excerpt, "input").note == ""
    changed = {
        "has changed since it was explained": frames[::-1],
        "cannot be read any more (": frames[:3],
        "is no longer there": None,
    }
    for why, now in changed.items():
        path.unlink() if now is None else np.save(path, now)
        ground = ground_of(clip, excerpt)
        np.testing.assert_array_equal(ground.frames, input_ground(clip).frames)
        assert ground.labels == ["1", "3"]
        assert ground.note.startswith(f"{path} {why}")
        assert ground.note.endswith(": maps are drawn on the network's input.")


def test_a_mask_of_the_input_comes_back_as_pixels():
    mask = np.zeros((1, 4, 4), bool)
    mask[0, :2] = True
    ground = Ground(np.zeros((1, 8, 12, 3), np.uint8), Box(0, 2, 8, 8), ["0"])
    expected = np.zeros((1, 8, 12), bool)
    expected[0, :4, 2:10] = True
    np.testing.assert_array_equal(ground.mask(mask), expected)


def test_labels_and_rate_are_the_recordings_own():
    """Every fourth of 30 frames a second plays at 7.5; frames that are repeated, or without times, do not matter."""
    excerpt = Excerpt("walk.mp4", (8, 12, 16, 16), (0.267, 0.4, 0.533, 0.533), 30.0, (4, 4))
    assert frame_labels(excerpt) == ["8, 0.27 s", "12, 0.40 s", "16, 0.53 s", "16, 0.53 s"]
    assert frame_rate(excerpt) == 7.5
    untimed = Excerpt("walk.npy", (3, 4), None, None, (4, 4))
    assert (frame_labels(untimed), frame_rate(untimed)) == (["3", "4"], None)
    assert input_ground(np.zeros((2, 4, 4, 3)), untimed).labels == ["3", "4"]
