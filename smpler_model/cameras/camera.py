"""Cameras: projection of points to pixels and of pixels to rays, with lens distortion.

Points are in metres in the optical frame (x right, y down, z forward, REP 103); the centre of the
top left pixel is (0, 0). `distortion` implements the lens models.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from smpler_model.array_types import Floats
from smpler_model.cameras.distortion import Distortion, distortion_of
from smpler_model.cameras.lenses import COEFFICIENT_COUNTS

_NEAREST_DEPTH_M = 1e-3
_INWARD_STEPS = 30


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one camera for images of one size.

    Attributes:
        width: width of the image, pixels.
        height: height of the image, pixels.
        fx: horizontal focal length, pixels.
        fy: vertical focal length, pixels.
        cx: horizontal principal point, pixels.
        cy: vertical principal point, pixels.
        lens: a key of `lenses.COEFFICIENT_COUNTS`.
        coefficients: coefficients of the lens, in OpenCV's order.
        calibrated: False if the focal length was derived from an assumed field of view.

    Raises:
        ValueError: an impossible value.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    lens: str = "none"
    coefficients: tuple[float, ...] = ()
    calibrated: bool = True

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(
                f"the camera's image size must be positive, got {self.width}x{self.height}; "
                "set width and height in its calibration"
            )
        values = (self.fx, self.fy, self.cx, self.cy, *self.coefficients)
        if not all(map(math.isfinite, values)) or self.fx <= 0 or self.fy <= 0:
            raise ValueError(
                "the camera's intrinsics must be finite numbers with positive focal lengths, got "
                f"fx={self.fx} fy={self.fy} cx={self.cx} cy={self.cy} "
                f"coefficients={list(self.coefficients)}; calibrate the camera"
            )
        if self.lens not in COEFFICIENT_COUNTS:
            raise ValueError(
                f"the lens model must be one of {', '.join(COEFFICIENT_COUNTS)}, got "
                f"'{self.lens}'; calibrate the camera with one of these models"
            )
        if len(self.coefficients) not in COEFFICIENT_COUNTS[self.lens]:
            expected = " or ".join(map(str, COEFFICIENT_COUNTS[self.lens]))
            raise ValueError(
                f"the lens model {self.lens} has {expected} coefficients, got "
                f"{len(self.coefficients)}; correct the distortion in the camera's calibration"
            )

    @property
    def matrix(self) -> Floats:
        """(3, 3) intrinsic matrix."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)

    def rectified(self) -> "Camera":
        """Return the camera of the undistorted image with the same intrinsics."""
        return Camera(
            *(self.width, self.height, self.fx, self.fy, self.cx, self.cy),
            calibrated=self.calibrated,
        )

    @property
    def reach_rad(self) -> float:
        """Largest angle off the optical axis that the lens images; at most a right angle."""
        return self._distortion.reach_rad

    def project(self, points_m: ArrayLike) -> Floats:
        """Project points through the lens.

        Args:
            points_m: (..., 3) in the optical frame.

        Returns:
            (..., 2) pixels; NaN for points that are not in front of the camera or outside the
            lens's field of view.
        """
        points = np.asarray(points_m, np.float64)
        flat = points.reshape(-1, 3)
        in_front = flat[:, 2] > _NEAREST_DEPTH_M
        pixels = np.full((len(flat), 2), np.nan)
        plane = flat[in_front, :2] / flat[in_front, 2:]
        pixels[in_front] = self._distortion.bend(plane) * (self.fx, self.fy) + (self.cx, self.cy)
        return pixels.reshape(*points.shape[:-1], 2)

    def unproject(self, pixels: ArrayLike) -> Floats:
        """Return the rays of pixels.

        Args:
            pixels: (..., 2).

        Returns:
            (..., 3) points on the rays at a depth of one metre, optical frame; NaN for pixels that
            the lens does not expose.
        """
        array = np.asarray(pixels, np.float64)
        bent = (array.reshape(-1, 2) - (self.cx, self.cy)) / (self.fx, self.fy)
        rays = np.full((len(bent), 3), np.nan)
        finite = np.isfinite(bent).all(1)
        rays[finite, :2] = self._distortion.straighten(bent[finite])
        rays[np.isfinite(rays[:, 0]), 2] = 1
        return rays.reshape(*array.shape[:-1], 3)

    def unproject_inwards(self, pixels: ArrayLike) -> Floats:
        """Return rays as `unproject` does, with replacements where the lens exposes nothing.

        Such a pixel gets the ray of the farthest exposed point on the line from the principal
        point to it; only pixels that are not finite give NaN.
        """
        array = np.asarray(pixels, np.float64)
        flat = array.reshape(-1, 2)
        rays = self.unproject(flat)
        dark = np.isnan(rays[:, 0]) & np.isfinite(flat).all(1)
        if dark.any():
            middle = np.array([self.cx, self.cy])
            inner, outer = np.zeros((dark.sum(), 1)), np.ones((dark.sum(), 1))
            for _ in range(_INWARD_STEPS):
                half = (inner + outer) / 2
                shown = np.isfinite(self.unproject(middle + half * (flat[dark] - middle)))[:, :1]
                inner, outer = np.where(shown, half, inner), np.where(shown, outer, half)
            rays[dark] = self.unproject(middle + inner * (flat[dark] - middle))
        return rays.reshape(*array.shape[:-1], 3)

    @property
    def _distortion(self) -> Distortion:
        return distortion_of(self.lens, self.coefficients)


def camera_from_field_of_view(width: int, height: int, horizontal_fov_deg: float) -> Camera:
    """Return an assumed camera for use without a calibration; `calibrated` is False.

    Args:
        width: width of the image, pixels.
        height: height of the image, pixels.
        horizontal_fov_deg: angle between the left and the right edge, degrees.

    Raises:
        ValueError: the angle is not between 1 and 179 degrees.
    """
    if not 1 <= horizontal_fov_deg <= 179:
        raise ValueError(
            f"the field of view must be 1 to 179 degrees, got {horizontal_fov_deg:g}; take the "
            "horizontal one from the camera's data sheet"
        )
    focal = width / (2 * math.tan(math.radians(horizontal_fov_deg) / 2))
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2, calibrated=False)
