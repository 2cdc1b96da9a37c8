"""Areas of boxes, and how much boxes overlap."""

import numpy as np

from smpler_model.array_types import Floats


def box_areas(boxes_xyxy: Floats) -> Floats:
    """Return the (n,) areas of boxes (n, 4): left, top, right, bottom."""
    return np.asarray((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).clip(0).prod(-1))


def box_overlaps(first_xyxy: Floats, second_xyxy: Floats) -> Floats:
    """Return the (n, m) intersections over union of boxes (n, 4) and (m, 4)."""
    low = np.maximum(first_xyxy[:, None, :2], second_xyxy[:, :2])
    high = np.minimum(first_xyxy[:, None, 2:], second_xyxy[:, 2:])
    shared = (high - low).clip(0).prod(-1)
    union = box_areas(first_xyxy)[:, None] + box_areas(second_xyxy) - shared
    overlaps: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlaps
