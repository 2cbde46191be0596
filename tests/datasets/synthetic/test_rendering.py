"""The camera and the drawing of capsules: sizes and places that follow from the pinhole."""

import numpy as np
import pytest

from jaxsal.datasets.synthetic.rendering import (
    STAGE_HEIGHT,
    Capsules,
    draw,
    draw_shadow,
    make_camera,
    outline,
    rays,
    silhouette,
)

CAMERA = make_camera(azimuth=0.0, distance=4.0, elevation=STAGE_HEIGHT, extent=2.0)
MIDDLE = np.array([0.0, 0.0, STAGE_HEIGHT])


def spheres(centres, radii, temperatures):
    points = np.array(centres)[None]
    colours = np.linspace(0.2, 0.8, len(radii))[:, None].repeat(3, axis=1)
    return Capsules(points, points, np.array(radii), np.array(radii), colours, np.array(temperatures))


@pytest.mark.parametrize("height", [50, 200])
def test_a_sphere_is_a_disc_of_its_radius_over_the_extent(height):
    ball = spheres([MIDDLE], [0.4], [30.0])

    mask = silhouette(outline(ball, CAMERA, height, 2 * height), height, 2 * height)[0]

    radius = 0.4 / 2.0 * height
    assert mask.sum() == pytest.approx(np.pi * radius**2, rel=0.02)
    rows, columns = np.nonzero(mask)
    np.testing.assert_allclose([rows.mean() + 0.5, columns.mean() + 0.5], [height / 2, height], atol=0.1)


def test_right_and_up_in_the_world_are_right_and_up_in_the_frame():
    ball = spheres(MIDDLE + np.array([[0.5, 0.0, 0.25]]), [0.1], [30.0])

    seen = outline(ball, CAMERA, 100, 100)

    np.testing.assert_allclose(seen.starts[0, 0], [50 + 25, 50 - 12.5], atol=1e-6)


@pytest.mark.parametrize("azimuth", [-40.0, 0.0, 75.0])
def test_rays_meet_the_points_that_their_pixels_show(azimuth):
    camera = make_camera(azimuth, distance=5.0, elevation=1.7, extent=2.5)
    point = np.array([0.3, -0.4, 1.2])
    ball = spheres([point], [0.1], [30.0])

    column, row = outline(ball, camera, 2001, 2001).starts[0, 0]
    ray = rays(camera, 2001, 2001)[:, int(row), int(column)]

    sight = point - camera.position
    cosine = ray @ sight / np.linalg.norm(ray) / np.linalg.norm(sight)
    assert cosine == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("nearer", [0, 1])
def test_the_nearer_of_two_bodies_hides_the_other(nearer):
    offsets = [[0.0, -0.8, 0.0], [0.0, 0.8, 0.0]]
    pair = spheres(MIDDLE + (offsets if nearer == 0 else offsets[::-1]), [0.2, 0.2], [20.0, 30.0])
    image = np.zeros((40, 40, 1), np.float32)

    draw(image[None], outline(pair, CAMERA, 40, 40), pair)

    assert image[20, 20, 0] == pytest.approx([20.0, 30.0][nearer], abs=0.1)


def test_a_tapered_capsule_is_as_wide_as_its_radii():
    ends = MIDDLE + np.array([[0.0, 0.0, -0.5], [0.0, 0.0, 0.5]])
    cone = Capsules(ends[None, :1], ends[None, 1:], np.array([0.1]), np.array([0.3]), np.ones((1, 3)), np.array([30.0]))

    mask = silhouette(outline(cone, CAMERA, 400, 400), 400, 400)[0]

    widths = mask.sum(axis=1)
    np.testing.assert_allclose(widths[[300, 200, 100]], [40, 80, 120], atol=2)


def test_a_body_is_warmest_along_its_axis_and_lit_from_above():
    ball = spheres([MIDDLE], [0.5], [30.0])
    seen = outline(ball, CAMERA, 100, 100)
    thermal, visible = np.zeros((100, 100, 1), np.float32), np.zeros((100, 100, 3), np.float32)

    draw(thermal[None], seen, ball)
    draw(visible[None], seen, ball)

    assert thermal[50, 50, 0] > thermal[50, 72, 0] + 1
    assert visible[30, 50, 0] > 1.3 * visible[70, 50, 0] > 0


def test_what_lies_outside_of_the_frame_leaves_it_alone():
    ball = spheres(MIDDLE + np.array([[9.0, 0.0, 0.0]]), [0.2], [30.0])
    image = np.ones((20, 20, 1), np.float32)

    draw(image[None], outline(ball, CAMERA, 20, 20), ball)

    np.testing.assert_array_equal(image, 1)


def test_a_shadow_darkens_where_it_falls_and_once_only():
    centre = spheres([MIDDLE, MIDDLE], [0.4, 0.4], [0.0, 0.0])
    image = np.ones((60, 60, 3), np.float32)

    draw_shadow(image[None], outline(centre, CAMERA, 60, 60))

    assert image[30, 30, 0] == pytest.approx(0.7)
    assert image[2, 2, 0] == 1


def test_frames_that_are_drawn_together_are_those_that_are_drawn_alone():
    """A ball that enters the frame from the left, and one that crosses behind it."""
    steps = np.linspace(-1.6, 0.9, 7)[:, None, None] * [[[1.0, 0.0, 0.2], [-1.0, 0.5, 0.1]]]
    points = MIDDLE + steps
    balls = Capsules(points, points, np.array([0.3, 0.2]), np.array([0.3, 0.2]), np.eye(3)[:2], np.array([20.0, 30.0]))
    seen = outline(balls, CAMERA, 30, 30)
    together, alone = np.zeros((2, 7, 30, 30, 3), np.float32)

    draw(together, seen, balls)
    draw_shadow(together, seen)
    for frame in range(7):
        draw(alone[frame : frame + 1], seen.of(slice(frame, frame + 1)), balls)
        draw_shadow(alone[frame : frame + 1], seen.of(slice(frame, frame + 1)))

    assert together.any()
    np.testing.assert_array_equal(together, alone)
