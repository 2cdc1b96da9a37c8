"""People of known heights are pasted where their boxes are."""

import numpy as np
import pytest

from benchmarks.small_people import SCORES, CutOut, cut_people_out, fill_room, measure
from smpler_model.detectors.detector import Detections, detections_from

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def people() -> list[CutOut]:
    return cut_people_out(2)


class KnowsWhite:
    """Finds what is brighter than the room."""

    def __init__(self, score: float) -> None:
        self._score = score

    def detect(self, rgb: np.ndarray) -> Detections:
        rows, columns = np.nonzero(rgb[..., 0] == 255)
        if not len(rows):
            return detections_from([])
        box = [columns.min(), rows.min(), columns.max(), rows.max()]
        return detections_from([box], [self._score])

    def reset(self) -> None:
        """Nothing is remembered."""


def test_boxes_are_as_tall_as_asked_for(people: list[CutOut]) -> None:
    room = np.zeros((360, 640, 3), np.uint8)
    for height in (40, 170):
        image, boxes = fill_room(room, people, height, seed=0)
        assert boxes.shape == (2, 4)
        np.testing.assert_allclose(boxes[:, 3] - boxes[:, 1], height - 1, atol=2)
        assert boxes[0, 2] < 320 <= boxes[1, 0]
        for left, top, right, bottom in boxes.astype(int).tolist():
            assert image[top : bottom + 1, left : right + 1].any()
    assert not room.any()


def test_who_is_found_counts_from_the_score_on() -> None:
    white = CutOut(np.full((90, 30, 3), 255, np.uint8), np.ones((90, 30), np.float32))
    (sure, cpu_ms), (unsure, _) = (
        measure(KnowsWhite(s), (640, 480), [white], [40, 80]) for s in (0.9, 0.3)
    )
    assert 0 < cpu_ms < 1e3
    assert sure == {height: dict.fromkeys(SCORES, 1.0) for height in (40, 80)}
    assert unsure == {height: {SCORES[0]: 1.0, SCORES[1]: 0.0} for height in (40, 80)}
