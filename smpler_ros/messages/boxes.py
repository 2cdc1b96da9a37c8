"""Boxes of people from a camera's `vision_msgs/Detection2DArray`s."""

import math
import time
from collections.abc import Callable, Collection

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.cameras.messages import Message
from smpler_model.detectors.detector import Detections, detections_from
from smpler_model.notices import Notify

PATIENCE_S = 5.0
"""Time without any box of a person after which a warning is logged."""

_BEYOND = 0.1  # of the image's size: detectors' boxes may slightly exceed its borders
_MOST_LABELS, _MOST_LETTERS = 10, 30


class BoxReader:
    """Reads the boxes of one camera. State: the logged warnings, and the labels seen.

    Attributes:
        left_out: number of invalid boxes so far: not finite, or without an area.
    """

    def __init__(
        self,
        labels: Collection[str],
        say: Notify,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a reader.

        Args:
            labels: class labels of people, compared without case and surrounding spaces.
            say: called once with each warning.
            clock: seconds.
        """
        self.left_out = 0
        self._labels = {_plain(label) for label in labels}
        self._say, self._clock = say, clock
        self._seen: dict[str, None] = {}  # in order of arrival
        self._first_s: float | None = None
        self._has_people = False
        self._said: set[str] = set()

    def read(self, message: Message, image_size: tuple[int, int]) -> Detections:
        """Return the people of a message.

        A box whose best label is of another class is dropped; a box without a label, or with an
        empty one, is a person.

        Args:
            message: boxes by centre and size, pixels of the image.
            image_size: width and height of the image, pixels.
        """
        boxes, scores = [], []
        for detection in message.detections:
            best = max(detection.results, key=lambda result: result.hypothesis.score, default=None)
            if best is not None and not self._is_person(best.hypothesis.class_id):
                continue
            boxes.append(_box_xyxy(detection.bbox))
            scores.append(1.0 if best is None else float(best.hypothesis.score))
        people = self._keep_sound(np.array(boxes).reshape(-1, 4), np.array(scores))
        self._check_labels(people)
        self._check_size(people, image_size)
        return people

    def _is_person(self, label: str) -> bool:
        plain = _plain(label)
        if not plain or plain in self._labels:
            return True
        if len(self._seen) < _MOST_LABELS:
            self._seen[plain[:_MOST_LETTERS]] = None
        return False

    def _keep_sound(self, boxes_xyxy: Floats, scores: Floats) -> Detections:
        """Drop and count boxes that are not finite or have no area."""
        have_area = (boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(1)
        sound = np.isfinite(boxes_xyxy).all(1) & have_area & np.isfinite(scores)
        lost = len(scores) - int(sound.sum())
        self.left_out += lost
        if lost:
            self._say_once(
                "soundness",
                "boxes of people must be finite and have an area, got one of "
                f"{_format(boxes_xyxy[~sound][0])}: such boxes are dropped and counted; fix the "
                "publisher of detections",
            )
        return detections_from(boxes_xyxy[sound], scores[sound])

    def _check_labels(self, people: Detections) -> None:
        """Warn if other labels arrive for a while but never a person's."""
        self._has_people = self._has_people or len(people) > 0
        if self._has_people or not self._seen:
            return
        now = self._clock()
        self._first_s = now if self._first_s is None else self._first_s
        if now - self._first_s >= PATIENCE_S:
            self._say_once(
                "labels",
                f"no box of detections has a label of people ({', '.join(sorted(self._labels))}) "
                f"for {PATIENCE_S:.0f} s, received labels are {', '.join(self._seen)}; set "
                "person_labels if one of these means people",
            )

    def _check_size(self, people: Detections, image_size: tuple[int, int]) -> None:
        if not len(people):
            return
        width, height = image_size
        right, bottom = people.boxes_xyxy[:, 2:].max(0)
        if right > width * (1 + _BEYOND) or bottom > height * (1 + _BEYOND):
            self._say_once(
                "size",
                f"boxes of detections must be in pixels of the image, {width}x{height}, got one "
                f"that extends to {right:.0f}, {bottom:.0f}; scale them back from the detector's "
                "input",
            )

    def _say_once(self, kind: str, sentence: str) -> None:
        if kind not in self._said:
            self._said.add(kind)
            self._say(sentence)


def _box_xyxy(box: Message) -> list[float]:
    centre = box.center.position
    half_width, half_height = box.size_x / 2, box.size_y / 2
    return [
        *(centre.x - half_width, centre.y - half_height),
        *(centre.x + half_width, centre.y + half_height),
    ]


def _plain(label: str) -> str:
    return label.strip().casefold()


def _format(box_xyxy: Floats) -> str:
    return ", ".join(f"{value:.0f}" if math.isfinite(value) else str(value) for value in box_xyxy)
