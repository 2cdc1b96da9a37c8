"""Detection metrics of boxes with known faults."""

import numpy as np
import pytest

from benchmarks.real_people.detection import DetectionScores, score_detections, show_boxes
from benchmarks.real_people.folder import JOINTS, PersonTruth, PhotoTruth

TALL, SMALL = [10.0, 0, 60, 120], [100.0, 0, 120, 40]
NOBODY = [200.0, 0, 260, 100]


def photo(*boxes: list[float], image: str = "a", shows_everybody: bool = True) -> PhotoTruth:
    joints, labelled = np.zeros((len(JOINTS), 2)), np.zeros(len(JOINTS), np.bool_)
    people = (PersonTruth(np.array(box), joints, labelled, is_scored=False) for box in boxes)
    return PhotoTruth(image, shows_everybody, tuple(people))


def found(*boxes: list[float]) -> dict[str, np.ndarray]:
    return {"a": np.array(boxes).reshape(-1, 4)}


@pytest.mark.parametrize(
    ("boxes", "hits", "false_boxes"),
    [
        ([TALL, SMALL], 1, 0),
        ([TALL], 1, 0),
        ([SMALL], 0, 0),
        ([], 0, 0),
        ([NOBODY], 0, 1),
        ([TALL, TALL], 1, 1),
        ([[10.0, 0, 60, 70]], 1, 0),
        ([[10.0, 0, 60, 50]], 0, 1),
    ],
    ids=[
        "all",
        "the tall one",
        "the small one, who need not be found",
        "none",
        "somebody who is not there",
        "one twice",
        "over half of one",
        "less than half of one",
    ],
)
def test_people_are_found_by_boxes_of_their_own(
    boxes: list[list[float]], hits: int, false_boxes: int
) -> None:
    scores = score_detections([photo(TALL, SMALL)], found(*boxes))
    assert scores == DetectionScores(1, hits, 1, false_boxes)


def test_boxes_are_not_false_where_somebody_may_lack_labels() -> None:
    scores = score_detections([photo(TALL, shows_everybody=False)], found(TALL, NOBODY))
    assert scores == DetectionScores(1, 1, 0, 0)
    assert scores.false_per_photo == 0


def test_figures_are_over_all_photos() -> None:
    photos = [photo(TALL), photo(TALL, image="b")]
    scores = score_detections(photos, {**found(TALL), "b": np.array([NOBODY])})
    assert (scores.recall, scores.false_per_photo) == (0.5, 0.5)
    assert scores.line("motion").startswith("motion: 1 of 2 people over 60 px   recall 0.500 ")


def test_a_tile_shows_labels_and_boxes() -> None:
    tile = show_boxes(np.zeros((150, 300, 3), np.uint8), photo(TALL), found(NOBODY)["a"], 100)
    assert tile.shape == (100, 100, 3)
    assert tile[10, 3].tolist() == [255, 255, 255]
    assert tile[10, 67].tolist() == [90, 230, 90]
