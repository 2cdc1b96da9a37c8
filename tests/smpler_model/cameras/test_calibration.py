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
        ("500.0, 0,", "500.0,", "camera_matrix must have 9 numbers as its data, got 8 values"),
        ("500.0", "[]", "camera_matrix must have 9 numbers"),
        ("500.0", "9" * 400, "camera_matrix must have 9 numbers"),
        ("[500.0", "&a [*a", "camera_matrix must have 9 numbers"),
        ("{rows: 3, cols: 3, data:", "&a {data: *a, b:", "as its data, got a dict"),
        ("image_width: 640", "image_width: .inf", "must be a number of pixels, got inf"),
        ("image_width: 640", "image_width: 640.5", "image_width must be a number of pixels"),
        ("image_width: 640", "image_width: " + "9" * 5000, "must be a calibration in YAML"),
        ("image_width: 640", "image_width: 0x" + "f" * 5000, "got a number of many digits"),
        ("image_width: 640", "image_width: [" + "[" * 2000, "must be a calibration in YAML"),
        ("image_width: 640", "image_width: 2001-02-31", "must be a calibration in YAML"),
        ("plumb_bob", "[a, b]", "distortion_model must be a name, got a list"),
        ("plumb_bob", "pinhole5", "lens model must be one of"),
        ("image_width", "width", "'image_width'"),
        (CALIBRATION, "just text", "must be a calibration in YAML"),
        (CALIBRATION, "a: [", "must be a calibration in YAML"),
    ],
)
def test_invalid_calibrations_are_refused(path: Path, old: str, new: str, words: str) -> None:
    path.write_text(CALIBRATION.replace(old, new, 1))
    with pytest.raises(ValueError, match=words) as caught:
        read_camera_info(path)
    assert "\n" not in str(caught.value)


def test_numbers_that_yaml_reads_as_text(path: Path) -> None:
    path.write_text(CALIBRATION.replace("0.001", "1e-3").replace("640", "640.0"))
    assert read_camera_info(path).coefficients == (-0.2, 0.05, 0.001, 0.0, 0.0)
    assert read_camera_info(path).width == 640
