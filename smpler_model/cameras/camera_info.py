"""Cameras from the fields of a `sensor_msgs/CameraInfo`, including those that drivers misuse."""

import math

import numpy as np
from numpy.typing import ArrayLike

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.lenses import COEFFICIENT_COUNTS, Lens, find_lens
from smpler_model.notices import Notify

Size = tuple[int, int]

_MOST_LETTERS = 40  # of a name quoted in an error


def camera_from_camera_info(
    *,
    width: int,
    height: int,
    lens: str,
    coefficients: ArrayLike,
    k: ArrayLike,
    p: ArrayLike,
    rectified: bool,
    binning: Size = (1, 1),
    offset: Size = (0, 0),
    region: Size = (0, 0),
    image_size: Size | None = None,
    note: Notify | None = None,
) -> Camera | None:
    """Return the camera that the fields of a `sensor_msgs/CameraInfo` describe.

    Args:
        width: width of the full calibrated image, pixels.
        height: height of the full calibrated image, pixels.
        lens: `distortion_model`, under any of its names.
        coefficients: `d`.
        k: (9) intrinsics of the raw image, row by row.
        p: (12) projection of the rectified image, row by row.
        rectified: whether the image is rectified, so that `p` applies and the lens has no
            distortion.
        binning: horizontal and vertical; 0 means 1, as in the message.
        offset: left and top of the region of interest, full pixels.
        region: width and height of the region of interest, full pixels; 0 for the full image.
        image_size: width and height of the actual image, if known; it resolves ambiguous fields.
        note: called with warnings; without it, an unknown lens model is an error.

    Returns:
        The camera, or None for an uncalibrated one, which by ROS's convention has k[0] = 0. If
        one of `k` and `p` is zero, the other is used.

    Raises:
        ValueError: the values describe no possible camera.
    """
    matrix = _choose_matrix(k, p, rectified=rectified)
    if matrix[0, 0] == 0:
        return None
    numbers = np.ravel(coefficients).tolist()
    found = Lens() if rectified else find_lens(lens, numbers)
    if found.doubt and note:
        note(found.doubt)
    elif not found.is_known:
        raise ValueError(
            f"the lens model must be one of {', '.join(COEFFICIENT_COUNTS)} with its "
            f"coefficients, got '{lens[:_MOST_LETTERS]}' with {len(numbers)}; calibrate the "
            "camera with one of these models"
        )
    factors = (max(binning[0], 1), max(binning[1], 1))
    full = (region[0] or width, region[1] or height)
    if 0 in full and image_size:
        full = (image_size[0] * factors[0], image_size[1] * factors[1])
    centre = (float(matrix[0, 2]), float(matrix[1, 2]))
    is_as_sent = factors != (1, 1) and full == image_size
    of_size = (1, 1) if is_as_sent else factors
    of_k = (1, 1) if is_as_sent or _is_of_binned(centre, (width, height), factors) else factors
    if of_k != factors and note:
        note(
            f"the calibration states binning {factors[0]}x{factors[1]}, but its intrinsics are "
            "those of the published images, and they are used as such; let the driver publish the "
            "intrinsics of the full image"
        )
    # Pixel centres are integers: the centre of a block of n pixels is (n - 1) / 2 from its first.
    return Camera(
        *_choose_size(full, of_size, image_size),
        fx=float(matrix[0, 0]) / of_k[0],
        fy=float(matrix[1, 1]) / of_k[1],
        cx=(centre[0] - (of_k[0] - 1) / 2) / of_k[0] - offset[0] / of_size[0],
        cy=(centre[1] - (of_k[1] - 1) / 2) / of_k[1] - offset[1] / of_size[1],
        lens=found.model,
        coefficients=found.coefficients,
        calibrated=found.is_known,
    )


def _choose_matrix(k: ArrayLike, p: ArrayLike, *, rectified: bool) -> Floats:
    """Return the matrix that applies to the images; the other one if it has no focal length."""
    both = [np.asarray(k, np.float64).reshape(3, 3), np.asarray(p, np.float64).reshape(3, 4)]
    wanted, other = reversed(both) if rectified else both
    return wanted if wanted[[0, 1], [0, 1]].any() else other


def _choose_size(full: Size, factors: Size, image_size: Size | None) -> Size:
    """Return the size of the binned image; some drivers drop the incomplete last block."""
    size = full[0] // factors[0], full[1] // factors[1]
    if factors == (1, 1) or image_size is None:
        return size
    is_near = all(abs(ours - theirs) <= 1 for ours, theirs in zip(size, image_size, strict=True))
    return image_size if is_near else size


def _is_of_binned(centre: tuple[float, float], full: Size, factors: Size) -> bool:
    """Return whether a principal point is nearer to the centre of the binned image.

    Distances are compared as ratios, as the full image's centre is `factors` times as far from
    the corner.
    """
    excess = 0.0
    for at, size, factor in zip(centre, full, factors, strict=True):
        if factor > 1 and at > 0 and size > 0:
            excess += math.log(2 * at / size) + math.log(factor) / 2
    return excess < 0
