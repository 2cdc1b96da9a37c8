"""What the detectors with a network share: their error, and how their boxes become detections."""

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.detectors.detector import Detections

WITHOUT_WEIGHTS = "the detectors 'person', 'motion' and 'full_image' need no file"


class DetectorError(ValueError):
    """A detector cannot be built from what it was given."""


def check_threshold(name: str, value: float) -> None:
    """Refuse a threshold that each detection would pass, or none.

    Raises:
        DetectorError: it is not between 0 and 1.
    """
    if not 0 < value < 1:
        raise DetectorError(f"{name} must be between 0 and 1, got {value}; use 0.5 if in doubt")


def detections_from_edges(edges: Floats, scores: Floats, width: int, height: int) -> Detections:
    """Return what networks find, cut to the image, in this package's pixels.

    Networks count from the image's left edge, so that it spans 0 to its width. Here a pixel's
    centre has a whole number, and an image spans 0 to its width - 1.

    Args:
        edges: (n, 4) left, top, right, bottom, counted from the image's edges.
        scores: (n).
        width: width of the image, pixels.
        height: likewise.

    Returns:
        At most n people, in the same order: boxes with nothing inside the image are left out.
    """
    last = np.array([width, height, width, height]) - 1.0
    boxes = (edges.reshape(-1, 4) - 0.5).clip(0, last)
    inside = (boxes[:, 2:] > boxes[:, :2]).all(1)
    return Detections(boxes[inside], scores[inside])
