"""Boxes in the image of a camera that has turned."""

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera

_MIDDLES = np.array([[0, 0.5], [1, 0.5], [0.5, 0], [0.5, 1]])  # of left, right, top, bottom


def turn_boxes(boxes_xyxy: Floats, camera: Camera, now_from_before: Floats) -> Floats:
    """Return where boxes (n, 4) of an earlier image are in an image after the camera's turn.

    Distant objects move by the rotation alone, whatever their distance; the camera's translation
    moves them little. Boxes that leave the lens's field of view stay.

    Args:
        boxes_xyxy: (n, 4) pixels.
        camera: camera of both images.
        now_from_before: (3, 3) rotation between the optical frames.
    """
    corners = boxes_xyxy.reshape(-1, 2, 2)
    middles = corners[:, :1] + (corners[:, 1:] - corners[:, :1]) * _MIDDLES  # (n, 4, 2)
    pixels = camera.project(camera.unproject_inwards(middles) @ now_from_before.T)
    x, y = pixels[..., 0], pixels[..., 1]
    turned = np.stack([x[:, 0], y[:, 2], x[:, 1], y[:, 3]], 1)
    return np.where(np.isfinite(turned).all(1, keepdims=True), turned, boxes_xyxy)
