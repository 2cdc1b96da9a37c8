"""Calibration files."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

from smpler_model.cameras.calibration import read_camera_info
from tests.fuzz.mutations import mutate_bytes, mutate_text
from tests.fuzz.target import Target, on_file

_PINHOLE = """\
image_width: 640
image_height: 480
camera_matrix:
  data: [500.0, 0.0, 320.5, 0.0, 510.0, 240.5, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  data: [-0.2, 0.05, 0.001, 0.0, 0.0]
projection_matrix:
  data: [450.0, 0.0, 315.0, 0.0, 0.0, 455.0, 236.0, 0.0, 0.0, 0.0, 1.0, 0.0]
"""
_FISHEYE = """\
image_width: 640
image_height: 480
camera_matrix: {rows: 3, cols: 3, data: [300, 0, 319.5, 0, 300, 239.5, 0, 0, 1]}
distortion_model: equidistant
distortion_coefficients: {rows: 1, cols: 4, data: [-0.01, 0.02, 0.001, 0]}
"""


def camera_info() -> Target:
    """YAML as written by ROS's camera_calibration."""
    samples = [_PINHOLE.encode(), _FISHEYE.encode()]
    return Target(on_file(_read, "camera.yaml"), samples, _mutate)


def _read(path: Path) -> object:
    """Read a file for raw images, or in one of four cases for rectified ones."""
    return read_camera_info(path, rectified=path.stat().st_size % 4 == 0)


def _mutate(sample: bytes, random: Random, samples: Sequence[bytes]) -> bytes:
    if random.random() < 0.2:
        return mutate_bytes(sample, random, samples)
    return mutate_text(sample.decode(), random, ()).encode()
