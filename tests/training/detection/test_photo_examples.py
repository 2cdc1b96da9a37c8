"""Windows of labelled photos, with everybody who is labelled."""

from pathlib import Path

import cv2
import numpy as np

from smpler_model.detectors.detector import Detections, detections_from
from tests.training.data.made_up_photos import write_labels
from training.data.prepare_photos import read_labels
from training.detection.photo_examples import draw_photo_examples

LEFT, RIGHT = [40.0, 60, 120, 300], [400.0, 50, 480, 310]


class FindsTheLeft:
    """Finds one of the people, with a box that is a little off."""

    def detect(self, rgb: np.ndarray) -> Detections:
        del rgb
        return detections_from([[LEFT[0] + 4, *LEFT[1:]]])

    def reset(self) -> None:
        """It remembers nothing."""


def test_labelled_people_count_whether_they_are_found_or_not(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "two.png"), np.zeros((384, 512, 3), np.uint8))
    people = [{"box_xyxy": box, "joints_px": []} for box in (RIGHT, LEFT)]
    empty = {"image": "nobody.png", "people": []}  # left out without being opened
    content = {"joints": [], "photos": [empty, {"image": "two.png", "people": people}]}
    photos = read_labels(write_labels(tmp_path, content))
    seen = 0
    for seed in range(20):
        (example,) = draw_photo_examples(photos, 2, FindsTheLeft(), 1.0, seed)
        assert len(example.boxes_xyxy) == len(example.counts) == len(example.knows_size)
        if len(example.counts) < 2:
            continue  # the window shows one of them
        seen += 1
        # The box of the one who was not found is the label's, which is not accurate enough.
        assert example.knows_size.tolist() == [True, False]
        left, right = example.boxes_xyxy
        assert left[0] < right[0]
    assert seen > 5
