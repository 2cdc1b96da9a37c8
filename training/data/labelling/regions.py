"""Square regions of photos as input for a network, rotated so that the head is up."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from training.data.labelling.landmarks import JOINTS

SIDE_PX = 256
"""Side of the network's input."""

_WIDTH = 2.5  # width of a region relative to its radius, as in the network's training
_MARGIN = 1.08  # around the labelled joints
_SMALLEST_PX = 10.0


@dataclass(frozen=True)
class Region:
    """The region of a person.

    Attributes:
        centre: (2,) pixels, the middle of the hips.
        up: (2,) from there towards the head; its length does not matter.
        radius: how far the person extends from the centre, pixels.
    """

    centre: Floats
    up: Floats
    radius: float

    @property
    def image_from_crop(self) -> Floats:
        """(2, 3) from pixels of the upright crop to those of the image."""
        up = self.up / (np.linalg.norm(self.up) + 1e-9)
        axes = np.array([[-up[1], -up[0]], [up[0], -up[1]]]) * (_WIDTH * self.radius / SIDE_PX)
        middle = (SIDE_PX - 1) / 2
        return np.column_stack((axes, self.centre - axes @ [middle, middle]))

    @property
    def image_from_upright(self) -> Floats:
        """(2, 2) rotation from the crop's axes to the image's."""
        matrix = self.image_from_crop[:, :2]
        return np.asarray(matrix / np.linalg.norm(matrix[:, 0]))


def cut_region(rgb: NDArray[np.uint8], region: Region) -> NDArray[np.uint8]:
    """Return a region as an upright (256, 256, 3) crop; black outside the image."""
    matrix = region.image_from_crop
    scale = float(np.linalg.norm(matrix[:, 0]))
    if scale > 2:  # bilinear interpolation would skip pixels
        factor = 0.5 ** int(np.log2(scale))
        height, width = rgb.shape[:2]
        rgb = np.asarray(
            cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
        factors = np.array([rgb.shape[1] / width, rgb.shape[0] / height])
        corner = np.array([[0, 0, 0.5], [0, 0, 0.5]])
        matrix = (matrix + corner) * factors[:, None] - corner
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(rgb, matrix, (SIDE_PX, SIDE_PX), flags=flags), np.uint8)


def regions_around(labels: Floats) -> list[Region]:
    """Return the region of each person with labelled joints.

    The centre is the hips' midpoint, else a point of the trunk, else the middle of the joints. Up
    is towards the shoulders, else the head; as in the image if neither is labelled.

    Args:
        labels: (n, 14, 3) pixels, and whether the joint is labelled, in the order of `JOINTS`.
    """
    points, known = labels[..., :2], labels[..., 2] > 0
    (hips, has_hips), (knees, has_knees), (feet, has_feet) = (
        _midpoint(points, known, part) for part in ("hip", "knee", "ankle")
    )
    shoulders, has_shoulders = _midpoint(points, known, "shoulder")
    head, has_head = _midpoint(points, known, "neck", "top_of_head")
    top, has_top = np.where(has_shoulders, shoulders, head), has_shoulders | has_head
    low = np.where(has_hips, hips, np.where(has_knees, knees, feet))
    least = np.where(known[..., None], points, np.inf).min(1)
    most = np.where(known[..., None], points, -np.inf).max(1)
    trunk = 0.45 * top + 0.55 * knees
    elsewhere = np.where(has_top & has_knees, trunk, (least + most) / 2)
    centres = np.where(has_hips, hips, elsewhere)
    has_up = has_top & (has_hips | has_knees | has_feet)
    ups = np.where(has_up, top - low, [0.0, -1.0])
    far = np.where(known, np.linalg.norm(points - centres[:, None], axis=2), 0).max(1)
    radii = np.maximum(_MARGIN * far, _SMALLEST_PX)
    return [Region(*each) for each in zip(centres, ups, radii.tolist(), strict=True)]


def _midpoint(
    points: Floats, known: NDArray[np.bool_], *parts: str
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the mean (n, 2) of joints, and (n, 1) whether any of them is labelled."""
    count = points.shape[1]
    rows = [row for row, name in enumerate(JOINTS[:count]) if name.endswith(parts)]
    weights = known[:, rows, None]
    found = weights.sum(1)
    return (points[:, rows] * weights).sum(1) / np.maximum(found, 1), found > 0
