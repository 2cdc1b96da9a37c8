"""Windows of photos that show nobody."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.detectors.detector import Detections, detections_from
from training.data.prepare_photos import PersonLabels, PhotoLabels
from training.detection.empty_examples import draw_empty_examples, find_scenery

WIDTH, HEIGHT = 640, 480
LABELLED, UNLABELLED = [280.0, 100, 380, 460], [30.0, 120, 110, 400]
PERSON = 255


class FindsTheOther:
    """Finds the person without a label, only in whole photos or also in windows."""

    def __init__(self, *, in_windows: bool = False) -> None:
        self._in_windows = in_windows

    def detect(self, rgb: np.ndarray) -> Detections:
        is_whole = rgb.shape == (HEIGHT, WIDTH, 3)
        return detections_from([UNLABELLED] if is_whole or self._in_windows else [])

    def reset(self) -> None:
        """It remembers nothing."""


def write_photo(folder: Path, *boxes: list[float]) -> Path:
    """Write a dark photo in which people are white."""
    rgb = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    for left, top, right, bottom in np.array(boxes, int).reshape(-1, 4).tolist():
        rgb[top:bottom, left:right] = PERSON
    path = folder / "photo.png"
    cv2.imwrite(str(path), rgb)
    return path


def labels_of(path: Path, box: list[float]) -> PhotoLabels:
    return PhotoLabels(path, (PersonLabels(np.array(box), np.zeros((1, 3)), np.zeros((1, 4))),))


def test_windows_show_neither_labelled_people_nor_others(tmp_path: Path) -> None:
    photo = labels_of(write_photo(tmp_path, LABELLED, UNLABELLED), LABELLED)
    scenery = find_scenery([photo] * 20, [])
    drawn = list(draw_empty_examples(scenery, 20, FindsTheOther(), 1.5))
    assert len(drawn) > 10
    for example in drawn:
        assert example.pixels.any()
        assert example.pixels.max() < PERSON
        assert example.boxes_xyxy.shape == (0, 4)
        assert example.weight == 1.5
    again = draw_empty_examples(scenery, 20, FindsTheOther(), 1.5)
    for one, other in zip(drawn, again, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_windows_in_which_somebody_is_found_are_left_out(tmp_path: Path) -> None:
    photo = labels_of(write_photo(tmp_path, LABELLED), LABELLED)
    detector = FindsTheOther(in_windows=True)
    assert list(draw_empty_examples(find_scenery([photo] * 5, []), 5, detector, 1.0)) == []


def test_photos_that_people_fill_are_left_out(tmp_path: Path) -> None:
    filled = [0.0, 0, WIDTH, HEIGHT]
    scenery = find_scenery([labels_of(write_photo(tmp_path, filled), filled)] * 3, [])
    assert list(draw_empty_examples(scenery, 3, FindsTheOther(), 1.0)) == []


def test_folders_of_photos_without_people(tmp_path: Path) -> None:
    """There the detector is not asked: what it finds is what must be unlearnt."""
    (tmp_path / "street").mkdir()
    write_photo(tmp_path / "street")
    scenery = find_scenery([], [tmp_path])
    (example,) = draw_empty_examples(scenery, 5, FindsTheOther(), 1.0)
    assert example.pixels.any()
    with pytest.raises(FileNotFoundError, match="empty_photos must be folders of photos without"):
        find_scenery([], [tmp_path / "nothing"])
