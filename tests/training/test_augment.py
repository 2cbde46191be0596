import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxsal.training.augment import POSITIONS, SCALES, augment, crop_sizes, multi_scale_crop, with_reversals
from jaxsal.training.options import TrainOptions


def test_augmentation_cuts_and_mirrors_all_frames_alike():
    clip = jnp.asarray(np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), dtype=np.uint8))
    seen = set()
    for seed in range(60):
        cut = np.rint(255 * np.asarray(augment(jax.random.key(seed), clip, 6, TrainOptions(flip_prob=0.5))))
        matches = [
            (row, column, flip)
            for row in range(3)
            for column in range(3)
            for flip in (1, -1)
            if (cut == np.asarray(clip)[:, row : row + 6, column : column + 6][:, :, ::flip]).all()
        ]
        assert len(matches) == 1
        seen |= set(matches)
    assert len(seen) >= 15


def test_sizes_of_multi_scale_crops():
    """Of 256 pixels for 224: 256, 224, 192 and 168 with their neighbours; 22 of 32 is 21, as near as to be taken."""
    pairs = {tuple(pair) for pair in crop_sizes(256, 224).tolist()}
    sides = [256, 224, 192, 168]
    assert pairs == {(a, b) for i, a in enumerate(sides) for b in sides[max(i - 1, 0) : i + 2]}
    assert len(SCALES) == 4
    assert set(crop_sizes(32, 22)[:, 0].tolist()) == {32, 28, 22}  # 24 and 21 are within 2 pixels of 22


def test_multi_scale_crops_are_those_of_an_image_library():
    """Every crop is one of the sizes at one of the positions, cut out and resized by Pillow."""
    clip = np.random.default_rng(0).integers(0, 255, (2, 40, 40, 3), dtype=np.uint8)
    wanted = {}
    for height, width in {tuple(pair) for pair in crop_sizes(40, 24).tolist()}:
        for down, right in POSITIONS:
            top, left = down * ((40 - height) // 4), right * ((40 - width) // 4)
            image = Image.fromarray(clip[1, top : top + height, left : left + width])
            wanted[height, width, top, left] = np.asarray(image.resize((24, 24), Image.Resampling.BILINEAR), int)
    seen = set()
    crop = jax.jit(multi_scale_crop, static_argnums=2)
    for seed in range(80):
        cut = 255 * np.asarray(crop(jax.random.key(seed), jnp.asarray(clip), 24))
        errors = {place: np.abs(cut[1] - image).max() for place, image in wanted.items()}
        place = min(errors, key=errors.get)
        assert errors[place] <= 1.01  # Pillow rounds to bytes after each axis
        seen.add(place)
    assert len(seen) >= 40


def test_multi_scale_crops_are_mirrored_too():
    clip = jnp.asarray(np.random.default_rng(0).integers(0, 255, (1, 12, 12, 3), dtype=np.uint8))
    key = jax.random.key(0)
    straight, mirrored = (augment(key, clip, 8, TrainOptions(cropping="multiscale", flip_prob=p)) for p in (0.0, 1.0))
    np.testing.assert_array_equal(straight[:, :, ::-1], mirrored)


def test_reversals_show_each_clip_of_a_pair_backwards_as_its_partner():
    clips = jnp.arange(3 * 2.0).reshape(3, 2, 1, 1, 1)
    labels = jnp.array([2, 1, 0])

    shown, classes = with_reversals(clips, labels, ("up", "still", "down"), [("up", "down")])

    np.testing.assert_array_equal(classes, [2, 1, 0, 0, 1, 2])
    np.testing.assert_array_equal(shown.reshape(6, 2), [[0, 1], [2, 3], [4, 5], [1, 0], [2, 3], [5, 4]])
    assert with_reversals(clips, labels, ("up", "still", "down"), ())[0] is clips


def test_reversals_of_unknown_classes_are_refused():
    with pytest.raises(
        ValueError, match=r"`reversals` must pair classes out of \('up', 'down'\); got \('up', 'left'\)"
    ):
        with_reversals(jnp.zeros((1, 2, 1, 1, 1)), jnp.array([0]), ("up", "down"), [("up", "left")])
