from pathlib import Path

import pytest

from smpler_model.cameras.calibration import read_camera_info
from smpler_model.cameras.camera import Camera

CALIBRATION = """
image_width: 640
image_height: 480
camera_name: head
camera_matrix: {rows: 3, cols: 3, data: [500.0, 0, 320.5, 0, 510.0, 240.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.2, 0.05, 0.001, 0.0, 0.0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [450.0, 0, 315.0, 0, 0, 455.0, 236.0, 0, 0, 0, 1, 0]}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "head.yaml"
    path.write_text(CALIBRATION)
    return path


def test_raw_and_rectified(path: Path) -> None:
    lens = ("plumb_bob", (-0.2, 0.05, 0.001, 0.0, 0.0))
    assert read_camera_info(path) == Camera(640, 480, 500, 510, 320.5, 240.5, *lens)
    assert read_camera_info(path, rectified=True) == Camera(640, 480, 450, 455, 315, 236)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("500.0", ".nan", "finite numbers with positive focal lengths"),
        ("500.0", "nan", "finite numbers with positive focal lengths"),
        ("500.0", "0", "got a focal length of 0"),
        ("500.0, 0,", "500.0,", "head.yaml: "),
        ("plumb_bob", "pinhole5", "lens model must be one of"),
        ("image_width", "width", "'image_width'"),
        (CALIBRATION, "just text", "must be a calibration in YAML"),
        (CALIBRATION, "a: [", "must be a calibration in YAML"),
    ],
)
def test_calibrations_of_no_camera(path: Path, old: str, new: str, words: str) -> None:
    path.write_text(CALIBRATION.replace(old, new, 1))
    with pytest.raises(ValueError, match=words) as caught:
        read_camera_info(path)
    assert "\n" not in str(caught.value)
