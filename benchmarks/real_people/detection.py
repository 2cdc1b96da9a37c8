"""Recall and false boxes of a detector on people in photos."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.real_people.folder import FolderTruth, PhotoTruth
from benchmarks.real_people.sheet import write_caption
from smpler_model.array_types import Floats, RgbImage
from smpler_model.detectors.box_overlap import box_overlaps
from smpler_model.detectors.detector import Detector
from smpler_model.sources import read_image

LEAST_HEIGHT_PX = 60
"""Smaller people need not be found, but boxes on them are not false."""

LEAST_IOU = 0.5
"""Minimum intersection over union of a box with a person's."""

_TRUE, _FOUND = (255, 255, 255), (90, 230, 90)


@dataclass(frozen=True)
class DetectionScores:
    """Detection metrics of people in photos.

    Attributes:
        people: number of people of at least `LEAST_HEIGHT_PX`.
        found: number of these people with a box.
        photos: number of photos in which everybody is labelled; only there can a box be false.
        false_boxes: number of boxes on nobody in these photos.
    """

    people: int
    found: int
    photos: int
    false_boxes: int

    @property
    def recall(self) -> float:
        """Fraction of the people with a box; 0 if there are no people."""
        return self.found / max(self.people, 1)

    @property
    def false_per_photo(self) -> float:
        """False boxes per photo; 0 if no photo can tell."""
        return self.false_boxes / max(self.photos, 1)

    def line(self, detector: str) -> str:
        """Return the metrics as a line to print."""
        return (
            f"{detector}: {self.found} of {self.people} people over {LEAST_HEIGHT_PX} px   recall "
            f"{self.recall:.3f}   boxes on nobody {self.false_per_photo:.2f} a photo "
            f"(over {self.photos} in which everybody is labelled)"
        )


def detect_in_photos(
    detector: Detector, folder: FolderTruth
) -> Iterator[tuple[PhotoTruth, RgbImage, Floats]]:
    """Yield each photo with its pixels and the (n, 4) boxes that a detector finds in it alone."""
    for photo in folder.photos:
        rgb = read_image(folder.path / photo.image)
        detector.reset()
        yield photo, rgb, detector.detect(rgb).boxes_xyxy


def score_detections(photos: Sequence[PhotoTruth], found: Mapping[str, Floats]) -> DetectionScores:
    """Compare boxes with people. A box counts for the first person that it matches.

    Args:
        photos: photos with their labels.
        found: (n, 4) boxes of each photo, by its name.
    """
    people = hits = judged = false_boxes = 0
    for photo in photos:
        boxes = found[photo.image]
        has_box, is_free = match_people(photo.boxes_xyxy, boxes)
        counts = photo.boxes_xyxy[:, 3] - photo.boxes_xyxy[:, 1] >= LEAST_HEIGHT_PX
        people += int(counts.sum())
        hits += int((counts & has_box).sum())
        if photo.shows_everybody:
            judged += 1
            false_boxes += int(is_free.sum())
    return DetectionScores(people, hits, judged, false_boxes)


def match_people(
    people_xyxy: Floats, boxes_xyxy: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Match people (n, 4), one after the other, with the best of the remaining boxes (m, 4).

    Returns:
        (n,) whether a person has a box, (m,) whether a box is false.
    """
    has_box = np.zeros(len(people_xyxy), np.bool_)
    is_free = np.ones(len(boxes_xyxy), np.bool_)
    for row, of_person in enumerate(box_overlaps(people_xyxy, boxes_xyxy)):
        overlaps = np.where(is_free, of_person, -1.0)
        if len(overlaps) and overlaps.max() >= LEAST_IOU:
            has_box[row] = True
            is_free[overlaps.argmax()] = False
    return has_box, is_free


def show_boxes(rgb: RgbImage, photo: PhotoTruth, boxes_xyxy: Floats, side: int) -> RgbImage:
    """Return a tile of the whole photo: labelled boxes in white, found ones in green."""
    scale = side / max(rgb.shape[:2])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    tile = np.zeros((side, side, 3), np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    for boxes, colour, width in ((photo.boxes_xyxy, _TRUE, 1), (boxes_xyxy, _FOUND, 2)):
        for left, top, right, bottom in np.rint(boxes * scale).astype(int).tolist():
            cv2.rectangle(tile, (left, top), (right, bottom), colour, width)
    has_box, _ = match_people(photo.boxes_xyxy, boxes_xyxy)
    return write_caption(tile, f"{has_box.sum()} of {len(has_box)}, {len(boxes_xyxy)} boxes")
