"""Matching of estimated people with ground truth, frame by frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from smpler_model.array_types import Floats
from smpler_model.detectors.box_overlap import box_overlaps

Rows = NDArray[np.intp]

USUAL_IOU = 0.5


def match_boxes(
    found: Floats, true: Floats, min_iou: float = USUAL_IOU
) -> tuple[Rows, Rows, Floats]:
    """Match boxes so that the sum of overlaps is maximal.

    Args:
        found: (n, 4) pixels.
        true: (m, 4) pixels.
        min_iou: minimum overlap of a pair.

    Returns:
        k pairs: rows of `found`, rows of `true`, and their intersection over union, (k,) each.

    Source: Kuhn, "The Hungarian method for the assignment problem", 1955.
    """
    overlaps = box_overlaps(found, true)
    # Pairs below the minimum count 0, so that none is formed at the expense of a better one.
    useful = np.where(overlaps >= min_iou, overlaps, 0.0)
    rows, columns = linear_sum_assignment(useful, maximize=True)
    pairs = useful[rows, columns] > 0
    rows, columns = rows[pairs], columns[pairs]
    return rows, columns, overlaps[rows, columns]
