"""Hatching draws diagonals over a mask, and leaves the picture as it is elsewhere."""

import numpy as np
import pytest

from jaxsal.drawing.hatching import draw_hatching


@pytest.mark.parametrize(("height", "space", "thickness"), [(8, 4, 1), (192, 12, 2)])
def test_lines_are_drawn_within_the_mask_alone(height, space, thickness):
    frames, mask = np.full((2, height, 16, 3), 8, np.uint8), np.zeros((2, height, 16), bool)
    mask[0, :, 4:] = True
    drawn = draw_hatching(frames, mask)
    np.testing.assert_array_equal(drawn[~mask], 8)
    row = (drawn[0, 4] == 193).all(axis=-1)
    assert row.tolist() == [x >= 4 and (4 + x) % space < thickness for x in range(16)]
    np.testing.assert_array_equal(drawn[0, 3, 5:], drawn[0, 4, 4:-1])


def test_a_mask_of_another_size_is_refused(no_shape_checks):
    with pytest.raises(ValueError, match=r"`mask` must have the frames' shape \(1, 2, 2\); got \(1, 2, 3\)"):
        draw_hatching(np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3), bool))
