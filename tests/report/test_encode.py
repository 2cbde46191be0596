"""Maps, orders of removal and frames are packed into a page, and come back."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from jaxsal.report.encode import encode_baseline, encode_frames, encode_map, encode_order
from pages import CLIP, decode_volume

RANDOM = np.random.default_rng(0)
SALIENCY = RANDOM.normal(size=CLIP.shape[:3]).astype(np.float32)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_map_is_packed_to_256_steps(every):
    encoded = encode_map(SALIENCY, every=every)
    step = (encoded["high"] - encoded["low"]) / 255
    values = encoded["low"] + step * decode_volume(encoded)
    start = every // 2
    np.testing.assert_allclose(values, SALIENCY[:, start::every, start::every], atol=step / 2 + 1e-6)


def test_a_constant_map_is_packed():
    encoded = encode_map(np.full((2, 3, 4), 5.0))
    assert (encoded["low"], encoded["high"]) == (5, 5)
    assert not decode_volume(encoded).any()


@pytest.mark.parametrize(("shape", "most", "size"), [((2, 5, 6), 255, 1), ((4, 5, 6, 3), 256, 2), ((1, 1, 1), 700, 2)])
def test_orders_are_packed_exactly(shape, most, size):
    steps = RANDOM.integers(1, most + 1, shape)
    steps.flat[0] = most
    encoded = encode_order(steps)
    assert encoded["bytes"] == size
    np.testing.assert_array_equal(decode_volume(encoded).reshape(shape), steps)


def test_frames_are_pictures_of_at_most_224_pixels():
    clip = np.broadcast_to(np.linspace(0, 1, 3)[:, None, None, None], (3, 100, 448, 3))
    for shade, text in zip((0, 127.5, 255), encode_frames(clip), strict=True):
        picture = Image.open(io.BytesIO(base64.b64decode(text)))
        assert (picture.format, picture.size) == ("WEBP", (224, 50))
        np.testing.assert_allclose(np.asarray(picture), shade, atol=3)


def test_a_baseline_is_a_colour_or_frames():
    assert encode_baseline(np.array([0, 0.5, 1]), CLIP) == {"colour": [0, 128, 255]}
    assert encode_baseline(np.zeros(()), CLIP) == {"colour": [0, 0, 0]}
    assert len(encode_baseline(CLIP, CLIP)["frames"]) == 4
