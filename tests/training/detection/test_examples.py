"""Parts of images and of the boxes in them."""

import numpy as np
import pytest

from training.detection.examples import HEIGHT, WIDTH, ExampleWindow, whole_image
from training.detection.scene_examples import draw_scene_examples


def test_a_whole_image_is_as_the_detector_sees_it() -> None:
    window = whole_image(640, 480)
    np.testing.assert_allclose(window.clip(np.array([[0.0, 48, 640, 480]])), [[0, 19.2, 256, 192]])
    tall = whole_image(300, 600)
    pixels = tall.cut(np.full((600, 300, 3), 9, np.uint8))
    assert (pixels[:, :96] == 9).all()
    assert not pixels[:, 96:].any()


@pytest.mark.parametrize(("left", "top"), [(-100, -40), (0, 0), (300, 200)])
def test_a_box_lies_where_its_pixels_are(left: float, top: float) -> None:
    """A white box in black, cut and shrunk."""
    rgb = np.zeros((480, 640, 3), np.uint8)
    rgb[100:300, 40:500] = 255
    window = ExampleWindow(left, top, 0.5)
    rows, columns = np.nonzero(window.cut(rgb)[..., 0] > 127)
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    (box,) = window.clip(np.array([[40.0, 100, 500, 300]]))
    np.testing.assert_allclose(seen, box, atol=1)
    assert (box >= 0).all()
    assert (box <= (WIDTH, HEIGHT, WIDTH, HEIGHT)).all()


def test_a_window_beside_the_image_is_empty() -> None:
    assert not ExampleWindow(700.0, 0.0, 0.5).cut(np.full((480, 640, 3), 9, np.uint8)).any()


@pytest.mark.slow
def test_rooms_have_boxes_around_people() -> None:
    """Whoever counts has pixels in the box, and the same seed gives the same images."""
    first, again = (list(draw_scene_examples(range(seed, 9), 3, 0.0)) for seed in (7, 8))
    assert len(first) == 6
    assert sum(int(each.counts.sum()) for each in first) > 0
    for one, other in zip(first[3:], again, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
    for one in first:
        assert (one.boxes_xyxy[:, 2:] > one.boxes_xyxy[:, :2]).all()
        assert len(one.counts) == len(one.knows_size) == len(one.boxes_xyxy)


def test_nobody_is_in_empty_rooms() -> None:
    (example,) = draw_scene_examples(range(7, 8), 1, 1.0)
    assert example.boxes_xyxy.shape == (0, 4)
    assert example.pixels.any()
