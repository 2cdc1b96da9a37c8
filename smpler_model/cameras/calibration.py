"""Calibration files in the format of ROS's `camera_calibration`."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from smpler_model.cameras.camera import Camera
from smpler_model.cameras.camera_info import camera_from_camera_info

_REMEDY = "use a file written by ROS's camera_calibration"
_LENS = "plumb_bob"  # for files without a distortion_model
_IDENTITY_P = (1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 0)
_MOST_LETTERS = 60


def read_camera_info(path: Path, *, rectified: bool = False) -> Camera:
    """Read a camera's calibration from a YAML file.

    Args:
        path: path of the file.
        rectified: whether the images are rectified, so that the projection matrix applies.

    Raises:
        ValueError: the file is no calibration, or its values are impossible.
        OSError: it cannot be read.
    """
    content = _read_yaml(path)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must be a calibration in YAML, got something else; {_REMEDY}")
    try:
        camera = _camera_from(content, rectified)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if camera is None:
        raise ValueError(f"{path} must be a calibration, got a focal length of 0; {_REMEDY}")
    return camera


def _read_yaml(path: Path) -> object:
    """Return the content of a YAML file, None if it is not YAML."""
    try:
        return yaml.safe_load(path.read_text())
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: invalid dates and numbers
        return None


def _camera_from(content: Mapping[object, object], rectified: bool) -> Camera | None:
    has_projection = rectified or "projection_matrix" in content
    has_lens = "distortion_coefficients" in content
    lens = content.get("distortion_model", _LENS)
    if not isinstance(lens, str):
        raise ValueError(f"distortion_model must be a name, got {_show(lens)}; {_REMEDY}")
    return camera_from_camera_info(
        width=_read_size(content, "image_width"),
        height=_read_size(content, "image_height"),
        lens=lens,
        coefficients=_read_matrix(content, "distortion_coefficients") if has_lens else (),
        k=_read_matrix(content, "camera_matrix", 9),
        p=_read_matrix(content, "projection_matrix", 12) if has_projection else _IDENTITY_P,
        rectified=rectified,
    )


def _read_size(content: Mapping[object, object], name: str) -> int:
    value = _read_number(_find(content, name))
    if value is None or not value.is_integer():
        raise ValueError(
            f"{name} must be a number of pixels, got {_show(content[name])}; {_REMEDY}"
        )
    return int(value)


def _read_matrix(content: Mapping[object, object], name: str, count: int = 0) -> list[float]:
    """Return the numbers under a name, row by row, from a list or a list of rows."""
    matrix = _find(content, name)
    data = matrix.get("data") if isinstance(matrix, Mapping) else matrix
    rows = data if isinstance(data, list) else [None]
    values = [value for row in rows for value in (row if isinstance(row, list) else [row])]
    numbers = [number for number in map(_read_number, values) if number is not None]
    if len(numbers) < len(values) or count not in (0, len(values)):
        expected = f"{count} numbers" if count else "a list of numbers"
        got = f"{len(values)} values" if isinstance(data, list) else _show(data)
        raise ValueError(f"{name} must have {expected} as its data, got {got}; {_REMEDY}")
    return numbers


def _find(content: Mapping[object, object], name: str) -> object:
    if name not in content:
        raise ValueError(
            "a calibration must have image_width, image_height, camera_matrix and "
            f"distortion_coefficients, got none or only parts ('{name}' is missing); {_REMEDY}"
        )
    return content[name]


def _read_number(value: object) -> float | None:
    """Return a number, even if YAML reads it as text (1e-3); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _show(value: object) -> str:
    """Return a value in short; for lists and mappings, which may be recursive, only their type."""
    if not isinstance(value, int | float | str):
        return "nothing" if value is None else f"a {type(value).__name__}"
    try:
        text = repr(value)
    except ValueError:  # more digits than Python converts
        return "a number of many digits"
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."
