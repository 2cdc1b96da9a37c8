"""Videos written and read back, at every rate and size, and on a full disk."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpler_model.drawing.video import Video, count_images, writable_rate_hz
from tests.full_disk import room_for


def picture(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), (level, 60, 20), np.uint8)


def facts_of(path: Path) -> tuple[float, tuple[int, int]]:
    capture = cv2.VideoCapture(str(path))
    kinds = cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
    rate_hz, width, height = (capture.get(kind) for kind in kinds)
    return rate_hz, (int(width), int(height))


@pytest.mark.parametrize("rate_hz", [90.0004, 91.01, 66.667, 1000 / 11, 29.97003, 0.001, 1e6])
def test_rates_of_cameras_can_be_written(tmp_path: Path, rate_hz: float) -> None:
    video = Video(tmp_path / "v.mp4", rate_hz, 64, 48)
    for level in range(3):
        video.write(picture(level))
    video.close()
    assert count_images(tmp_path / "v.mp4") == 3
    written, _ = facts_of(tmp_path / "v.mp4")
    assert written == pytest.approx(min(max(rate_hz, 0.01), 65535), rel=1e-3)


@settings(max_examples=50, deadline=None)
@given(rate_hz=st.floats(0.01, 65535))
def test_every_rate_has_one_near_it(
    tmp_path_factory: pytest.TempPathFactory, rate_hz: float
) -> None:
    writable = writable_rate_hz(rate_hz)
    assert writable == pytest.approx(rate_hz, rel=1e-3, abs=5e-4)
    path = tmp_path_factory.getbasetemp() / "rate.mp4"
    video = Video(path, rate_hz, 64, 48)
    video.write(picture(9))
    video.close()


@pytest.mark.parametrize("rate_hz", [float("nan"), float("inf"), -float("inf"), -3.0, 0.0])
def test_an_invalid_rate_is_replaced(rate_hz: float) -> None:
    assert writable_rate_hz(rate_hz) in (30.0, 0.01)


@pytest.mark.parametrize(
    ("size", "written"),
    [((9000, 22), (8190, 20)), ((1, 1), (2, 2)), ((8190, 2), (8190, 2))],
    ids=["too wide", "too small", "widest"],
)
def test_images_are_fitted_to_the_format(
    tmp_path: Path, size: tuple[int, int], written: tuple[int, int]
) -> None:
    video = Video(tmp_path / "v.mp4", 10, *size)
    video.write(picture(1, *size))
    video.close()
    assert facts_of(tmp_path / "v.mp4")[1] == written


def test_a_truncated_video_is_reported_and_removed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    video = Video(tmp_path / "v.mp4", 10, 320, 240)
    with room_for(200_000):
        for _ in range(10):
            video.write(rng.integers(0, 256, (240, 320, 3), np.uint8))
        with pytest.raises(OSError, match=r"v\.mp4 must hold 10 images, got 0 .*disk is full"):
            video.close()
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing/v\.mp4"):
        Video(tmp_path / "missing" / "v.mp4", 10, 64, 48)


def test_a_path_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """OpenCV would end the process with a segmentation fault."""
    with pytest.raises(ValueError, match=r"must be UTF-8, got b'.*out\\xff\.mp4'"):
        Video(tmp_path / os.fsdecode(b"out\xff.mp4"), 10, 64, 48)
    assert not list(tmp_path.iterdir())


def test_other_files_have_no_images(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_text("text")
    assert count_images(tmp_path / "v.mp4") == 0
