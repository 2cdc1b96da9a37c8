"""Calibrations in files, as ROS's `camera_calibration` writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from smpler_model.cameras.camera import Camera, camera_from_camera_info

_REMEDY = "use a file as ROS's camera_calibration writes it"
_IDENTITY_P = (1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0)


def read_camera_info(path: Path, *, rectified: bool = False) -> Camera:
    """Read the YAML file of a camera's calibration.

    Args:
        path: of the file.
        rectified: the images are the rectified ones, so that the projection matrix holds.

    Raises:
        ValueError: the file is no calibration, or one that no camera has.
        OSError: it cannot be read.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        content = None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must be a calibration in YAML, got something else; {_REMEDY}")
    try:
        camera = _camera_from(content, rectified)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path} must be a calibration with image_width, image_height, camera_matrix and "
            f"distortion_coefficients, got none that is complete ({error}); {_REMEDY}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if camera is None:
        raise ValueError(f"{path} must be a calibration, got a focal length of 0; {_REMEDY}")
    return camera


def _camera_from(content: Mapping[str, Any], rectified: bool) -> Camera | None:
    coefficients = content.get("distortion_coefficients", {"data": ()})
    projection = content.get("projection_matrix")
    if rectified and projection is None:
        raise KeyError("projection_matrix")
    return camera_from_camera_info(
        width=int(content["image_width"]),
        height=int(content["image_height"]),
        lens=str(content.get("distortion_model", "plumb_bob")),
        coefficients=coefficients["data"],
        k=content["camera_matrix"]["data"],
        p=projection["data"] if projection is not None else _IDENTITY_P,
        rectified=rectified,
    )
