"""Hatching draws diagonals over a mask, an outline its edge; the picture is left as it is elsewhere."""

import numpy as np
import pytest

from jaxsal.drawing.hatching import draw_hatching
from jaxsal.drawing.outline import draw_outline


@pytest.mark.parametrize(("height", "space", "thickness"), [(8, 4, 1), (192, 12, 2)])
def test_lines_are_drawn_within_the_mask_alone(height, space, thickness):
    frames, mask = np.full((2, height, 16, 3), 8, np.uint8), np.zeros((2, height, 16), bool)
    mask[0, :, 4:] = True
    drawn = draw_hatching(frames, mask)
    np.testing.assert_array_equal(drawn[~mask], 8)
    row = (drawn[0, 4] == 193).all(axis=-1)
    assert row.tolist() == [x >= 4 and (4 + x) % space < thickness for x in range(16)]
    np.testing.assert_array_equal(drawn[0, 3, 5:], drawn[0, 4, 4:-1])


def test_the_outline_is_the_edge_within_the_mask_but_not_along_the_frame():
    frames = np.full((2, 5, 6, 3), 7, np.uint8)
    mask = np.zeros((2, 5, 6), bool)
    mask[0, 1:4, 1:5] = True
    mask[1, :, :2] = True
    edge = mask.copy()
    edge[0, 2, 2:4] = False
    edge[1, :, 0] = False
    drawn = draw_outline(frames, mask)
    np.testing.assert_array_equal((drawn == (0, 255, 255)).all(axis=-1), edge)
    np.testing.assert_array_equal(drawn[~edge], 7)


@pytest.mark.parametrize("draw", [draw_hatching, draw_outline])
def test_a_mask_of_another_size_is_refused(draw, no_shape_checks):
    with pytest.raises(ValueError, match=r"`mask` must have the frames' shape \(1, 2, 2\); got \(1, 2, 3\)"):
        draw(np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 3), bool))
