"""Colours of torsos in painted images."""

import cv2
import numpy as np

from smpler_model.people.appearance import (
    BANDS,
    SHAPES,
    SPREADS,
    appearance_distance,
    find_appearances,
)

SHIRT, TROUSERS = (200, 30, 40), (20, 40, 160)


def painted() -> tuple[np.ndarray, np.ndarray]:
    """Return an image of a torso, above and below in two colours, and keypoints (1, 24, 2)."""
    rgb = np.full((240, 320, 3), 90, np.uint8)
    rgb[50:100, 100:160], rgb[100:150, 100:160] = SHIRT, TROUSERS
    keypoints = np.full((1, 24, 2), 130.0)
    keypoints[0, [17, 16]] = [[100, 50], [160, 50]]
    keypoints[0, [2, 1]] = [[100, 150], [160, 150]]
    return rgb, keypoints


def lab(colour: tuple[int, int, int]) -> np.ndarray:
    pixel = np.array([[colour]], np.float32) / 255
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_RGB2LAB)[0, 0])


def test_bands_have_the_colours_of_the_clothes() -> None:
    rgb, keypoints = painted()
    betas = np.arange(10.0)[None]
    appearances = find_appearances(rgb, keypoints, np.ones((1, 24)), betas)[0]
    assert appearances.shape == SPREADS.shape
    bands = appearances[: 3 * BANDS].reshape(BANDS, 3)
    np.testing.assert_allclose(bands[0], lab(SHIRT), atol=1e-3)
    np.testing.assert_allclose(bands[-1], lab(TROUSERS), atol=1e-3)
    np.testing.assert_array_equal(appearances[3 * BANDS :], np.arange(SHAPES))


def test_a_torso_that_is_not_visible_has_no_appearance() -> None:
    rgb, keypoints = painted()
    unsure = np.ones((1, 24))
    unsure[0, 16] = 0.3
    outside = keypoints - (120.0, 0.0)
    betas = np.zeros((1, 10))
    assert np.isnan(find_appearances(rgb, keypoints, unsure, betas)).all()
    assert np.isnan(find_appearances(rgb, outside, np.ones((1, 24)), betas)).all()
    behind = keypoints.copy()
    behind[0, 17] = np.nan
    assert np.isnan(find_appearances(rgb, behind, np.ones((1, 24)), betas)).all()


def test_distances_are_small_for_one_person_only() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(0, 1, len(SPREADS))
    visits = one + rng.normal(0, SPREADS, (2000, len(SPREADS)))
    assert appearance_distance(one[None], one)[0] == 0
    np.testing.assert_allclose(appearance_distance(visits, one).mean(), 1, atol=0.05)
    assert appearance_distance(one[None] + 5 * SPREADS, one)[0] > 20


def test_nobody() -> None:
    rgb, _ = painted()
    none = find_appearances(rgb, np.empty((0, 24, 2)), np.empty((0, 24)), np.empty((0, 10)))
    assert none.shape == (0, len(SPREADS))
