"""The detector protocol, and two detectors that do not look at the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smpler_model.array_types import Floats

if TYPE_CHECKING:
    from torch import Tensor

_LARGEST_BOX = 16  # farthest extent of a box, in multiples of the image's longer side


@dataclass(frozen=True)
class Detections:
    """n people found in one image.

    Attributes:
        boxes_xyxy: (n, 4) float64 left, top, right, bottom, pixels.
        scores: (n) float64 confidence, 0 to 1.
    """

    boxes_xyxy: Floats
    scores: Floats

    def __post_init__(self) -> None:
        n = len(self.scores)
        if self.boxes_xyxy.shape != (n, 4) or self.scores.shape != (n,):
            raise ValueError(
                f"boxes and scores must be (n, 4) and (n), got {self.boxes_xyxy.shape} and "
                f"{self.scores.shape}; pass one score per box"
            )

    def __len__(self) -> int:
        return len(self.scores)

    def are_usable(self, width: int, height: int) -> NDArray[np.bool_]:
        """Return (n,) whether boxes can contain a person in an image of this size, pixels.

        Such a box is finite, has an area, and is not far larger than the image.
        """
        finite = np.isfinite(self.boxes_xyxy).all(1) & np.isfinite(self.scores)
        sides = np.where(finite[:, None], self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2], 0)
        farthest = np.where(finite[:, None], np.abs(self.boxes_xyxy), 0).max(1, initial=0)
        return np.asarray((sides > 0).all(1) & (farthest < _LARGEST_BOX * max(width, height)))

    def select(self, rows: NDArray[np.bool_]) -> "Detections":
        """Return the detections that an (n) mask selects."""
        return Detections(self.boxes_xyxy[rows], self.scores[rows])


def detections_from(boxes_xyxy: ArrayLike, scores: ArrayLike | None = None) -> Detections:
    """Return detections from lists or arrays; without scores, all scores are 1."""
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    if scores is None:
        return Detections(boxes, np.ones(len(boxes)))
    return Detections(boxes, np.asarray(scores, np.float64).reshape(-1))


class Detector(Protocol):
    """Finds people. Each camera has its own detector, so it may remember earlier images."""

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        """Return the people in an (h, w, 3) uint8 RGB image."""

    def reset(self) -> None:
        """Forget earlier images: the next one may be of another time or place."""


@runtime_checkable
class BatchDetector(Detector, Protocol):
    """Finds people in the images of several cameras at once; it remembers none of them."""

    def detect_all(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return the people in each of several (h, w, 3) uint8 RGB images of any sizes."""


@runtime_checkable
class DeviceDetector(Detector, Protocol):
    """A detector that also takes images in the memory of its device, with equal results.

    There an image is uploaded once, for the detector and for the crops.
    """

    def detect_on_device(self, image: "Tensor") -> Detections:
        """Return the people in an (h, w, 3) uint8 RGB image on any device."""


@runtime_checkable
class DeviceBatchDetector(BatchDetector, DeviceDetector, Protocol):
    """A detector that also takes several images in the memory of its device at once."""

    def detect_all_on_device(self, images: "Sequence[Tensor]") -> list[Detections]:
        """Return the people in each of several (h, w, 3) uint8 RGB images on any device."""


class FullImageDetector:
    """Returns the whole image as one person: for crops, and for people who fill the image."""

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        """Return one box as large as the (h, w, 3) image."""
        height, width = rgb.shape[:2]
        return detections_from([[0, 0, width - 1, height - 1]])

    def reset(self) -> None:
        """Do nothing: this detector has no state."""


class GivenBoxes:
    """Returns externally supplied boxes, for the next image only."""

    def __init__(self) -> None:
        self._next = detections_from([])

    def give(self, detections: Detections) -> None:
        """Set the boxes of the next image."""
        self._next = detections

    def detect(self, rgb: NDArray[np.uint8]) -> Detections:
        """Return the boxes set since the last image."""
        given, self._next = self._next, detections_from([])
        return given

    def reset(self) -> None:
        """Do nothing: boxes that were set are meant for the next image."""
