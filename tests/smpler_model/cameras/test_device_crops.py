"""The crops of a GPU, cut on the CPU by the same operations, against those of OpenCV."""

from functools import cache

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from smpler_model.cameras.crops import cut_crops
from smpler_model.cameras.device_crops import cut_crops_on_device, upload

SIDE = 64
CPU = torch.device("cpu")
# OpenCV 4 moves samples by up to 1/64 pixel in both directions: along an edge from 0 to 255 that
# is 4 levels each. What is rounded is a level.
LEVELS = 1 if int(cv2.__version__.split(".")[0]) >= 5 else 9


@cache
def photo(height: int, width: int) -> NDArray[np.uint8]:
    """An image as soft as a lens leaves it."""
    rng = np.random.default_rng(height + width)
    noise = rng.integers(0, 256, (height, width, 3), np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 3).astype(np.float64)
    return ((soft - soft.min()) / np.ptp(soft) * 255).astype(np.uint8)


def gaps(rgb: NDArray[np.uint8], boxes: list[list[float]], side: int = SIDE) -> NDArray[np.int64]:
    """Return the differences of levels, (n, side, side, 3)."""
    expected = cut_crops(rgb, boxes, side)
    found = cut_crops_on_device(upload(rgb, CPU), boxes, side)
    np.testing.assert_array_equal(found.centres_px, expected.centres_px)
    np.testing.assert_array_equal(found.sizes_px, expected.sizes_px)
    assert found.pixels.dtype == torch.uint8
    return np.abs(found.pixels.numpy().astype(np.int64) - expected.pixels)


@given(
    x=st.floats(-100, 740),
    y=st.floats(-100, 580),
    w=st.floats(0, 700),
    h=st.floats(0, 700),
)
def test_crops_are_those_of_opencv(x: float, y: float, w: float, h: float) -> None:
    """Within a level of 255, the image's borders and what is beyond them included."""
    gap = gaps(photo(480, 640), [[x - w / 2, y - h / 2, x + w / 2, y + h / 2]])
    assert gap.mean() < LEVELS / 2
    assert gap.max() <= LEVELS


def test_people_near_and_far_in_one_call() -> None:
    """Those that are shrunk first, each by its own step, keep their rows."""
    boxes = [[0, 0, 30, 60], [10, 10, 400, 470], [100, 50, 180, 300], [-50, -50, 700, 500]]
    gap = gaps(photo(480, 640), boxes)
    assert gap.mean((1, 2, 3)).max() < LEVELS / 2


@pytest.mark.parametrize("shape", [(480, 640), (481, 643), (33, 17), (1, 1)])
def test_sizes_that_blocks_do_not_divide(shape: tuple[int, int]) -> None:
    height, width = shape
    gap = gaps(
        photo(*shape) if min(shape) > 1 else np.full((1, 1, 3), 200, np.uint8),
        [[-9, -9, 9 * width, 9 * height], [0, 0, width, height]],
    )
    assert gap.max() <= LEVELS


def test_an_edge_moves_by_less_than_a_sixtyfourth_pixel() -> None:
    rgb = np.zeros((100, 100, 3), np.uint8)
    rgb[:, 50:] = 255
    gap = gaps(rgb, [[20.3, 20.7, 73.9, 74.1]])
    assert gap.max() <= LEVELS


def test_nobody() -> None:
    found = cut_crops_on_device(upload(photo(48, 64), CPU), np.empty((0, 4)), SIDE)
    assert (found.pixels.shape, len(found)) == ((0, SIDE, SIDE, 3), 0)


def test_images_that_cannot_be_written_to_are_uploaded() -> None:
    rgb = np.frombuffer(bytes(range(12)), np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(upload(rgb, CPU).numpy(), rgb)
    np.testing.assert_array_equal(upload(rgb[:, ::-1], CPU).numpy(), rgb[:, ::-1])


@pytest.mark.parametrize(
    "image",
    [
        torch.zeros(0, 5, 3, dtype=torch.uint8),
        torch.zeros(5, 5, dtype=torch.uint8),
        torch.zeros(5, 5, 3),
    ],
    ids=["empty", "grey", "float"],
)
def test_what_is_no_rgb_image_is_refused(image: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"must be \(h, w, 3\) uint8"):
        cut_crops_on_device(image, [[0, 0, 1, 1]], SIDE)
