"""Drawing through a lens: a pinhole image that holds all that the lens sees, then bent."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.cameras.camera import Camera

_GRID_POINTS = 33  # along each side of the image, to find what the lens sees
_BLOCK_PX = 4  # the pinhole image's sides are multiples of this
_WIDEST_RAD = math.radians(80)  # off the axis; what a lens shows farther aside stays black
_OUTSIDE_PX = -9.0  # of the pinhole image, where the lens shows nothing


class LensCanvas:
    """The pinhole image to draw for a camera, and how it becomes the camera's.

    Attributes:
        camera: camera to render for.
        pinhole: to draw with; the same camera where it has no lens.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.pinhole = camera if camera.lens == "none" else _surround(camera)
        self._maps: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        if camera.lens != "none":
            grid = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), -1)
            flat = self.pinhole.project(camera.unproject(grid))
            flat = np.nan_to_num(flat, nan=_OUTSIDE_PX).astype(np.float32)
            self._maps = np.ascontiguousarray(flat[..., 0]), np.ascontiguousarray(flat[..., 1])

    def bend(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the camera's image (h, w, 3) from the pinhole's."""
        if self._maps is None:
            return rgb
        return np.asarray(cv2.remap(rgb, *self._maps, cv2.INTER_LINEAR), np.uint8)

    def bend_labels(self, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the camera's labels (h, w), each the nearest of the pinhole's."""
        if self._maps is None:
            return labels
        bent = cv2.remap(labels.astype(np.float32), *self._maps, cv2.INTER_NEAREST)
        return np.asarray(bent, np.int32)

    def bend_depth(self, depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the camera's depth image (h, w), metres, each the nearest of the pinhole's."""
        if self._maps is None:
            return depth_m
        bent = cv2.remap(depth_m, *self._maps, cv2.INTER_NEAREST, borderValue=math.nan)
        return np.asarray(bent, np.float32)


def _surround(camera: Camera) -> Camera:
    """Return a pinhole camera of the same focal length that sees all that the lens sees.

    That ends 80 degrees off the axis, where a pinhole's image is six focal lengths away.
    """
    across = np.linspace(0, camera.width - 1, _GRID_POINTS)
    down = np.linspace(0, camera.height - 1, _GRID_POINTS)
    rays = camera.unproject_inwards(np.stack(np.meshgrid(across, down), -1).reshape(-1, 2))
    plane = rays[:, :2]
    radii = np.linalg.norm(plane, axis=1, keepdims=True)
    plane = plane * np.minimum(1, math.tan(_WIDEST_RAD) / np.maximum(radii, 1e-9))
    flat = plane * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    low = np.floor(flat.min(0)) - 1
    size = np.ceil((np.ceil(flat.max(0)) + 2 - low) / _BLOCK_PX) * _BLOCK_PX
    centre = camera.cx - low[0], camera.cy - low[1]
    return Camera(
        int(size[0]), int(size[1]), camera.fx, camera.fy, float(centre[0]), float(centre[1])
    )
