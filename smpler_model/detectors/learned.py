"""Parts shared by the detectors with a network: their error, and detections from boxes."""

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.detectors.detector import Detections

WITHOUT_WEIGHTS = "the detectors 'person', 'motion' and 'full_image' need no file"


class DetectorError(ValueError):
    """A detector cannot be built from its arguments."""


def check_threshold(name: str, value: float) -> None:
    """Refuse a threshold outside 0 to 1.

    Raises:
        DetectorError: it is not between 0 and 1.
    """
    if not 0 < value < 1:
        raise DetectorError(f"{name} must be between 0 and 1, got {value}; use 0.5 if in doubt")


def detections_from_edges(edges: Floats, scores: Floats, width: int, height: int) -> Detections:
    """Return a network's boxes, clipped to the image, in this package's pixel coordinates.

    Networks count from the image's left edge, so that the image spans 0 to its width. Here the
    centres of pixels are integers, and the image spans 0 to its width - 1.

    Args:
        edges: (n, 4) left, top, right, bottom, counted from the image's edges.
        scores: (n) confidence, 0 to 1.
        width: width of the image, pixels.
        height: height of the image, pixels.

    Returns:
        At most n people, in the same order; boxes outside the image are left out.
    """
    last = np.array([width, height, width, height]) - 1.0
    boxes = (edges.reshape(-1, 4) - 0.5).clip(0, last)
    inside = (boxes[:, 2:] > boxes[:, :2]).all(1)
    return Detections(boxes[inside], scores[inside])
