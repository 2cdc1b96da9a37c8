"""The motion detector in a still room through which a person walks."""

import numpy as np
import pytest

from smpler_model.array_types import RgbImage
from smpler_model.detectors.motion import BackgroundConfig, MotionDetector, match_exposure

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 360, 480
PERSON = (70, 200)  # width, height
LEARNING = BackgroundConfig().learning_images


@pytest.fixture(scope="module")
def room() -> RgbImage:
    coarse = np.random.default_rng(0).integers(60, 200, (12, 16, 3)).astype(np.float64)
    return np.kron(coarse, np.ones((HEIGHT // 12, WIDTH // 16, 1))).astype(np.uint8)


def picture(
    room: RgbImage, rng: np.random.Generator, left: int | None, gain: float = 1.0
) -> RgbImage:
    """Return the room with sensor noise, and a colourful person at the given left edge."""
    image = room.copy()
    if left is not None:
        width, height = PERSON
        stripes = np.random.default_rng(1).integers(0, 255, (height, 1, 3))
        image[100 : 100 + height, left : left + width] = stripes
    noisy = image * gain + rng.normal(0, 3, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def learned(room: RgbImage, rng: np.random.Generator) -> MotionDetector:
    detector = MotionDetector()
    for _ in range(LEARNING):
        assert len(detector.detect(picture(room, rng, None))) == 0
    return detector


@pytest.mark.parametrize("gain", [1.0, 0.75, 1.2], ids=["same light", "darker", "brighter"])
def test_finds_one_box_around_somebody_walking(room: RgbImage, gain: float) -> None:
    rng = np.random.default_rng(2)
    detector = learned(room, rng)
    for left in range(20, 380, 30):
        detections = detector.detect(picture(room, rng, left, gain))
        assert len(detections) == 1
        expected = [left, 100, left + PERSON[0] - 1, 100 + PERSON[1] - 1]
        np.testing.assert_allclose(detections.boxes_xyxy[0], expected, atol=8)
    for _ in range(3):
        assert len(detector.detect(picture(room, rng, None, gain))) == 0


def test_a_person_standing_still_remains_detected(room: RgbImage) -> None:
    rng = np.random.default_rng(3)
    detector = learned(room, rng)
    for _ in range(60):
        assert len(detector.detect(picture(room, rng, 200))) == 1


def test_reset_learns_the_new_room(room: RgbImage) -> None:
    rng = np.random.default_rng(4)
    detector = learned(room, rng)
    detector.reset()
    other = np.ascontiguousarray(room[:, ::-1])
    for _ in range(LEARNING):
        assert len(detector.detect(picture(other, rng, None))) == 0
    assert len(detector.detect(picture(other, rng, None))) == 0
    assert len(detector.detect(picture(other, rng, 100))) == 1


def test_images_of_another_size_reset_the_background(room: RgbImage) -> None:
    rng = np.random.default_rng(4)
    detector = learned(room, rng)
    narrow = np.ascontiguousarray(room[:, : room.shape[1] * 3 // 4])
    for _ in range(LEARNING):
        assert len(detector.detect(picture(narrow, rng, None))) == 0
    assert len(detector.detect(picture(narrow, rng, 100))) == 1


def test_exposure_is_matched_per_channel(room: RgbImage) -> None:
    gains = np.array([0.8, 0.9, 1.1])
    changed = (room * gains).clip(0, 255).astype(np.uint8)
    changed[:, :100] = 5  # a person in black
    matched = match_exposure(changed, room)
    assert np.abs(matched[:, 100:].astype(int) - room[:, 100:]).max() <= 3


def test_dark_surfaces_that_brighten_more_are_matched_too(room: RgbImage) -> None:
    rng = np.random.default_rng(6)
    dark = room.copy()
    dark[:, -120:] = dark[:, -120:] // 4 + 20  # a screen that is switched off
    noisy = dark + rng.normal(0, 2, dark.shape)
    brightened = (255 * (noisy.clip(0, 255) / 255) ** 0.8).astype(np.uint8)
    brightened[:, :100] = 5  # a person in black
    matched = match_exposure(brightened, dark).astype(int)
    assert np.abs(matched - dark)[:, 100:].mean() < 2.5
    assert abs((matched - dark)[:, -120:].mean()) < 2


def test_an_unrelated_image_is_only_scaled(room: RgbImage) -> None:
    other = np.random.default_rng(7).integers(0, 255, room.shape, np.uint8)
    matched = match_exposure(other, room)
    levels = [int(matched[other == level].max()) for level in range(255)]
    assert levels == sorted(levels)  # bright stays bright
