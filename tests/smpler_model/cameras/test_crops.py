"""Crops: the origin of their pixels, and arbitrary boxes."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.cameras.crops import cut_crops

SIDE = 64


def ramp(height: int, width: int) -> np.ndarray:
    """Return an image whose red and green are its pixels' coordinates."""
    v, u = np.mgrid[:height, :width]
    return np.stack([u, v, np.full_like(u, 9)], -1).astype(np.uint8)


@given(x=st.floats(60, 140), y=st.floats(60, 120), w=st.floats(20, 90), h=st.floats(20, 90))
def test_crop_pixels_follow_the_affine_map(x: float, y: float, w: float, h: float) -> None:
    crops = cut_crops(ramp(200, 250), [[x - w / 2, y - h / 2, x + w / 2, y + h / 2]], SIDE)
    index = np.array([3, 20, 40, 60])
    grid = np.stack(np.meshgrid(index, index), -1)  # (4, 4, 2) column, row
    place = crops.image_from_crop(((2 * grid + 1) / SIDE - 1)[None])[0]
    inside = (place >= 0).all(-1) & (place <= (249, 199)).all(-1)
    shown = crops.pixels[0, grid[..., 1], grid[..., 0], :2].astype(float)
    np.testing.assert_allclose(shown[inside], place[inside], atol=0.75)


def test_crop_from_image_undoes_image_from_crop() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (2, 24, 2))
    crops = cut_crops(ramp(100, 100), [[10, 20, 50, 90], [0, 0, 99, 99]], SIDE)
    np.testing.assert_allclose(crops.crop_from_image(crops.image_from_crop(points)), points)


@pytest.mark.parametrize(
    "box",
    [[-500, -500, -400, -380], [10, 10, 10, 10], [0, 0, 249, 199], [-2000, -2000, 3000, 3000]],
    ids=["outside", "a point", "the image", "far larger"],
)
def test_any_box(box: list[float]) -> None:
    crops = cut_crops(ramp(200, 250), [box], SIDE)
    assert crops.pixels.shape == (1, SIDE, SIDE, 3)
    assert np.isfinite(crops.sizes_px).all()
    assert (crops.sizes_px > 0).all()
    assert (crops.pixels.any()) == (box[0] != -500)


def test_no_box() -> None:
    crops = cut_crops(ramp(200, 250), np.empty((0, 4)), SIDE)
    assert (crops.pixels.shape, len(crops)) == ((0, SIDE, SIDE, 3), 0)


def test_fine_patterns_are_averaged() -> None:
    board = np.indices((1024, 1024)).sum(0) % 2 * 255
    image = np.repeat(board[..., None], 3, -1).astype(np.uint8)
    crop = cut_crops(image, [[3, 5, 1010, 1000]], SIDE, margin=1.0).pixels[0, 4:-4, 4:-4]
    assert abs(crop.astype(int) - 127).max() <= 3


def test_shrinking_first_does_not_shift_the_image() -> None:
    rng = np.random.default_rng(1)
    image = cv2.GaussianBlur(rng.integers(0, 255, (600, 700, 3), np.uint8), (0, 0), 15)
    box = [100.0, 50.0, 571.0, 521.0]
    crop = cut_crops(image, [box], SIDE, margin=1.0).pixels[0].astype(float)
    scale = 471 / SIDE
    centre = (np.arange(SIDE) + 0.5) * scale - 0.5
    u, v = np.meshgrid(100.5 + centre, 50.5 + centre)
    exact = cv2.remap(image, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    assert abs(crop - exact)[1:-1, 1:-1].mean() < 0.6


@pytest.mark.parametrize(
    "image",
    [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32)],
    ids=["empty", "grey", "float"],
)
def test_other_arrays_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be \(h, w, 3\) uint8"):
        cut_crops(image, [[0, 0, 1, 1]], SIDE)


def test_only_an_image_that_steps_do_not_divide_is_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    padded: list[tuple[int, ...]] = []
    pad = cv2.copyMakeBorder

    def note(image: np.ndarray, *given: int) -> np.ndarray:
        padded.append(given)
        return np.asarray(pad(image, *given))

    monkeypatch.setattr(cv2, "copyMakeBorder", note)
    box = [[0.0, 0.0, 199.0, 199.0]]
    whole = cut_crops(ramp(200, 200), box, SIDE).pixels
    assert padded == []
    other = cut_crops(ramp(201, 200), box, SIDE).pixels
    assert padded == [(0, 1, 0, 0, cv2.BORDER_REPLICATE)]
    np.testing.assert_array_equal(whole[0, :40], other[0, :40])
