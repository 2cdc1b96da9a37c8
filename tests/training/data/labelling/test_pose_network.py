"""Predictions are refined, mirrored and mapped back to the image."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.data.labelling.made_up_teacher import SPOTS, find_spots, random_answers
from training.data.labelling.landmarks import LANDMARKS
from training.data.labelling.pose_network import (
    POINTS,
    PoseNetwork,
    look,
    mirrored,
    refine,
    with_mirror,
)
from training.data.labelling.regions import SIDE_PX, Region

PLACES = {  # in an image of 300x240 pixels
    LANDMARKS.index("left_hip"): (140, 120),
    LANDMARKS.index("right_hip"): (160, 110),
    LANDMARKS.index("nose"): (180, 160),
    len(LANDMARKS): (150, 140),
    len(LANDMARKS) + 1: (120, 150),
}


@pytest.fixture
def image() -> np.ndarray:
    image = np.zeros((240, 300, 3), np.uint8)
    for row, place in PLACES.items():
        cv2.circle(image, place, 4, SPOTS[row], -1)
    return image


def refine_one(point: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Refine a point by the definition, cell by cell."""
    column, row = (point / 4).astype(int)
    total, place = 0.0, np.zeros(2)
    hottest = 0.0
    for r in range(max(row - 3, 0), min(row + 4, 64)):
        for c in range(max(column - 3, 0), min(column + 4, 64)):
            total += heat[r, c]
            place += heat[r, c] * np.array([c, r])
            hottest = max(hottest, heat[r, c])
    return place / total * 4 if hottest >= 0.5 else point


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.4, 1.0]))
def test_points_move_to_the_heat_around_them(seed: int, hottest: float) -> None:
    rng = np.random.default_rng(seed)
    heat = (hottest * rng.random((64, 64, 5)) ** 20).astype(np.float32)
    points = rng.uniform(-40, SIDE_PX + 40, (5, 2)).astype(np.float32)
    expected = [refine_one(point, heat[..., row]) for row, point in enumerate(points)]
    np.testing.assert_allclose(refine(points, heat), expected, rtol=1e-4, atol=1e-3)


def test_mirroring_twice_changes_nothing() -> None:
    answers = random_answers(1, 0, POINTS)[0]
    again = mirrored(mirrored(answers))
    for name, values in vars(answers).items():
        np.testing.assert_allclose(getattr(again, name), values, atol=1e-4)


def test_a_symmetric_network_has_no_spread(image: np.ndarray) -> None:
    """A network that tells sides by colour, however, predicts otherwise for the mirror image."""
    crop = image[:, :240].copy()
    crop = cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST)
    plain, both = find_spots(crop), with_mirror(find_spots)(crop)
    nose, hip = LANDMARKS.index("nose"), LANDMARKS.index("left_hip")
    np.testing.assert_allclose(both.points_px[nose], plain.points_px[nose], atol=0.01)
    np.testing.assert_allclose(both.points_px[hip, 1], plain.points_px[[23, 24], 1].mean())
    # In 3D, the made-up network measures x from the left border of either image.
    assert both.spread_m[nose] == pytest.approx((SIDE_PX - 1) / 200, abs=0.01)


@pytest.mark.parametrize("angle", [0, 0.5, 2, np.pi, 5])
def test_predictions_are_mapped_to_the_image(image: np.ndarray, angle: float) -> None:
    up = np.array([np.sin(angle), -np.cos(angle)])
    region = Region(np.array([150.0, 130.0]), up, 50)
    answer, seen = look(image, region, find_spots)
    assert answer.points_px.shape == (len(LANDMARKS), 2)
    for row, place in PLACES.items():
        if row < len(LANDMARKS):
            np.testing.assert_allclose(answer.points_px[row], place, atol=0.5)
    np.testing.assert_allclose(seen.centre, PLACES[len(LANDMARKS)], atol=0.5)
    np.testing.assert_allclose(seen.up, [-30, 10], atol=0.7)
    assert seen.radius == pytest.approx(np.hypot(30, 10), abs=0.7)


@pytest.mark.parametrize("angle", [0, 0.5, 2, np.pi, 5])
def test_bodies_have_the_image_s_axes(image: np.ndarray, angle: float) -> None:
    up = np.array([np.sin(angle), -np.cos(angle)])
    answer, _ = look(image, Region(np.array([150.0, 130.0]), up, 50), find_spots)
    hips = [LANDMARKS.index(f"{side}_hip") for side in ("left", "right")]
    across = answer.points_m[hips[1]] - answer.points_m[hips[0]]
    scale = SIDE_PX / (2.5 * 50) / 100  # metres per pixel
    np.testing.assert_allclose(across, [20 * scale, -10 * scale, 0], atol=0.02)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tflite").write_bytes(b"")
    monkeypatch.setattr(sys, "path", [])  # so that nothing is found that is not imported yet
    monkeypatch.delitem(sys.modules, "ai_edge_litert", raising=False)
    with pytest.raises(ValueError, match=r"needs the package ai_edge_litert, .*not installed"):
        PoseNetwork(tmp_path / "a.tflite")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must be a \.tflite file, got .*a\.tflite"):
        PoseNetwork(tmp_path / "a.tflite")
