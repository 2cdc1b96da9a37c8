"""Detections, and the detectors that do not look at the image."""

import numpy as np
import pytest

from smpler_model.detectors.detector import (
    Detections,
    FullImageDetector,
    GivenBoxes,
    detections_from,
)

IMAGE = np.zeros((48, 64, 3), np.uint8)


def test_full_image() -> None:
    detections = FullImageDetector().detect(IMAGE)
    np.testing.assert_array_equal(detections.boxes_xyxy, [[0, 0, 63, 47]])
    np.testing.assert_array_equal(detections.scores, [1])


def test_given_boxes_serve_one_image() -> None:
    detector = GivenBoxes()
    assert len(detector.detect(IMAGE)) == 0
    detector.give(detections_from([[1, 2, 3, 4]], [0.5]))
    np.testing.assert_array_equal(detector.detect(IMAGE).boxes_xyxy, [[1, 2, 3, 4]])
    assert len(detector.detect(IMAGE)) == 0
    detector.give(detections_from([[1, 2, 3, 4]]))
    detector.reset()
    assert len(detector.detect(IMAGE)) == 1


def test_a_score_is_missing() -> None:
    with pytest.raises(ValueError, match=r"got \(2, 4\) and \(1,\); pass one score per box"):
        Detections(np.zeros((2, 4)), np.zeros(1))
