"""Rotates images by their EXIF orientation, and the camera's calibration with them."""

from dataclasses import replace

import cv2
import numpy as np

from smpler_model.array_types import RgbImage
from smpler_model.cameras.camera import Camera

# By EXIF orientation: the stored image's x and y axes in the rotated image, as columns.
_AXES = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, -1), (1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, 1), (-1, 0)),
}
_FIRST_PRISM, _FIRST_TILT = 8, 12  # of OpenCV's coefficients


def turn_image(rgb: RgbImage, orientation: int) -> RgbImage:
    """Return an (h, w, 3) image as it is to be viewed.

    Args:
        rgb: the image as stored.
        orientation: EXIF orientation, 1 to 8.
    """
    (xx, xy), (yx, yy) = _AXES[orientation]
    turned = rgb if xx else cv2.transpose(rgb)
    flips = (xx + xy < 0, yx + yy < 0)
    if any(flips):
        turned = cv2.flip(turned, -1 if all(flips) else 1 if flips[0] else 0)
    return np.asarray(turned, np.uint8)


def turn_camera(camera: Camera, orientation: int) -> Camera:
    """Return the camera of the rotated image.

    Args:
        camera: camera of the image as stored.
        orientation: EXIF orientation, 1 to 8.

    Raises:
        ValueError: the lens has a tilted sensor, which cannot be rotated.
    """
    axes = np.array(_AXES[orientation], np.float64)
    size = np.abs(axes) @ (camera.width, camera.height)
    # The last pixel's centre is at size - 1: where an axis is reversed, it becomes 0.
    corner = np.where(axes.sum(1) < 0, size - 1, 0)
    centre = axes @ (camera.cx, camera.cy) + corner
    focal = np.abs(axes) @ (camera.fx, camera.fy)
    return replace(
        camera,
        width=int(size[0]),
        height=int(size[1]),
        fx=float(focal[0]),
        fy=float(focal[1]),
        cx=float(centre[0]),
        cy=float(centre[1]),
        coefficients=_turn_coefficients(camera, axes),
    )


def _turn_coefficients(camera: Camera, axes: np.ndarray) -> tuple[float, ...]:
    """Rotate the coefficients that are not radially symmetric.

    Tangential distortion moves a point x by 2 (q x) x + |x|^2 q with q = (p2, p1), a thin prism by
    |x|^2 (s1, s3) + |x|^4 (s2, s4): these are vectors, which rotate with the image.
    """
    values = np.array(camera.coefficients, np.float64)
    if camera.lens not in ("plumb_bob", "rational_polynomial"):
        return camera.coefficients
    if values[_FIRST_TILT:].any():
        raise ValueError(
            "a calibration with a tilted sensor cannot be rotated with its image, got tilts of "
            f"{values[_FIRST_TILT:].tolist()}; rotate the image's pixels and remove its EXIF "
            "orientation"
        )
    values[[3, 2]] = axes @ values[[3, 2]]
    if len(values) > _FIRST_PRISM:
        for pair in ([8, 10], [9, 11]):
            values[pair] = axes @ values[pair]
    return tuple(values.tolist())
