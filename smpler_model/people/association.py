"""The box filter and the overlap by which ByteTrack matches detections with tracks."""

import numpy as np
from trackers import BaseIoU, IoU
from trackers.utils.state_representations import XCYCWHStateEstimator

from smpler_model.array_types import Floats

_SPEEDS, _SIZE_SPEEDS = slice(4, 6), slice(6, 8)  # of centre and size, in the state
_SLOWING = 0.9  # speed over that of the image before, while the person is unseen
_PART = 0.6  # area of a box over the predicted one below which it may show a part of the person
_INSIDE = 0.8  # share of such a box that is in the predicted one
_HEIGHTS_COUNT = 3  # exponent; arms and legs make widths the weaker hint
_TRUST = 0.2  # how far such a box moves the edges


class PersonBox(XCYCWHStateEstimator):
    """A Kalman filter of a person's box that survives occlusion by other people.

    - The size changes only with detections. Boxes shrink as an occlusion begins; if that
      continued, the size would become negative.
    - While unseen, it slows down, as people turn round.
    - A much smaller box inside the predicted one counts little, and does not change the
      speed: it may be a head above a table.

    Source: Zhang et al., "ByteTrack", ECCV 2022, where lost tracks stop growing in height.
    """

    def __init__(self, bbox: Floats) -> None:
        """Begin with the first detection, left, top, right, bottom."""
        super().__init__(bbox)
        self._is_seen = True

    def update(self, bbox: Floats | None) -> None:
        """Update with a detection; None if there is none."""
        self._is_seen = bbox is not None
        predicted, speeds = self.state_to_bbox(), self.kf.state[_SPEEDS].copy()
        if bbox is None or not _is_part(bbox, predicted):
            super().update(bbox)
        else:
            super().update(predicted + _TRUST * (bbox - predicted))
            self.kf.state[_SPEEDS] = speeds

    def clamp_velocity(self, frame_step: float = 1.0) -> None:
        """Adapt the speeds before a prediction over `frame_step` images."""
        self.kf.state[_SIZE_SPEEDS] = 0.0
        if not self._is_seen:
            self.kf.state[_SPEEDS] *= _SLOWING**frame_step
        self._is_seen = False


def _is_part(box_xyxy: Floats, whole_xyxy: Floats) -> bool:
    """Return whether a box lies in a much larger one."""
    common = _area(
        np.maximum(box_xyxy[:2], whole_xyxy[:2]), np.minimum(box_xyxy[2:], whole_xyxy[2:])
    )
    area = _area(box_xyxy[:2], box_xyxy[2:])
    return area < _PART * _area(whole_xyxy[:2], whole_xyxy[2:]) and common > _INSIDE * area


def _area(low: Floats, high: Floats) -> float:
    return float((high - low).clip(0).prod())


class HeightOverlap(BaseIoU):
    """Intersection over union, less where top or bottom differ.

    People farther away are smaller, and stand higher in the image. So if two people cross and
    are detected as one box, it goes to the track of the person in front.

    Source: Yang et al., "Hybrid-SORT", AAAI 2024 (height-modulated IoU). Differs: the
    heights' overlap counts three times, and not for which pairs overlap enough.
    """

    def __init__(self, least: float) -> None:
        """Create it.

        Args:
            least: intersection over union from which on boxes may belong together.
        """
        self._least, self._iou = least, IoU()

    def _compute(self, boxes_1: Floats, boxes_2: Floats) -> Floats:
        overlaps = self._iou.compute(boxes_1, boxes_2)
        low = np.maximum(boxes_1[:, None, 1], boxes_2[:, 1])
        high = np.minimum(boxes_1[:, None, 3], boxes_2[:, 3])
        shared = (high - low).clip(0)
        first, second = (boxes[:, 3] - boxes[:, 1] for boxes in (boxes_1, boxes_2))
        alike = shared / np.maximum(first[:, None] + second - shared, np.finfo(float).tiny)
        modulated = self._least + (overlaps - self._least) * alike**_HEIGHTS_COUNT
        return np.where(overlaps >= self._least, modulated, overlaps)
