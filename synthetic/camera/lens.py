"""Lens distortion of rendered images: a pinhole image of the whole field of view is warped."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.cameras.camera import Camera

_GRID_POINTS = 33  # along each side of the image, to find the lens's field of view
_BLOCK_PX = 4  # the pinhole image's sides are multiples of this
_WIDEST_RAD = math.radians(80)  # off the axis; anything farther out stays black
_OUTSIDE_PX = -9.0  # outside of the pinhole image, for pixels that the lens does not expose


class LensCanvas:
    """The pinhole image to render for a camera, and its warp into the camera's image.

    Attributes:
        camera: camera to render for.
        pinhole: camera to render with; the same camera if it has no lens distortion.
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
        """Warp the pinhole's image into the camera's image (h, w, 3)."""
        if self._maps is None:
            return rgb
        return np.asarray(cv2.remap(rgb, *self._maps, cv2.INTER_LINEAR), np.uint8)

    def bend_labels(self, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """Warp the pinhole's labels into the camera's (h, w), by nearest neighbour."""
        if self._maps is None:
            return labels
        bent = cv2.remap(labels.astype(np.float32), *self._maps, cv2.INTER_NEAREST)
        return np.asarray(bent, np.int32)

    def bend_depth(self, depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """Warp the pinhole's depth image into the camera's (h, w), metres, nearest pixels."""
        if self._maps is None:
            return depth_m
        bent = cv2.remap(depth_m, *self._maps, cv2.INTER_NEAREST, borderValue=math.nan)
        return np.asarray(bent, np.float32)


def _surround(camera: Camera) -> Camera:
    """Return a pinhole camera of the same focal length that covers the lens's field of view.

    The field of view is limited to 80 degrees off the axis, which is six focal lengths away in a
    pinhole's image.
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
