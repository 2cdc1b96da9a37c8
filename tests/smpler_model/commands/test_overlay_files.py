from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.commands.overlay_files import LiveOverlayVideo, OverlayImages, OverlayVideo


def picture(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), (level, 60, 20), np.uint8)


def read(path: Path) -> tuple[list[np.ndarray], float]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (answer := capture.read())[0]:
        frames.append(np.asarray(answer[1])[..., ::-1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


def test_a_video_plays_what_was_written(tmp_path: Path) -> None:
    file = OverlayVideo(tmp_path / "overlay.mp4", 12.5)
    for index in range(10):
        file.write(index, "", 0, picture(100 + 10 * index))
    file.close()
    frames, rate_hz = read(tmp_path / "overlay.mp4")
    assert rate_hz == pytest.approx(12.5)
    np.testing.assert_allclose([f[..., 0].mean() for f in frames], range(100, 200, 10), atol=6)


def test_another_size_begins_another_video(tmp_path: Path) -> None:
    file = OverlayVideo(tmp_path / "overlay.mp4", 10)
    for index, width in enumerate([64, 64, 80]):
        file.write(index, "", 0, picture(100, width))
    file.close()
    assert len(read(tmp_path / "overlay.mp4")[0]) == 2
    assert read(tmp_path / "overlay_2.mp4")[0][0].shape == (48, 80, 3)


def test_a_video_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    file = OverlayVideo(tmp_path / "missing" / "overlay.mp4", 10)
    with pytest.raises(FileNotFoundError, match=r"missing/overlay\.mp4"):
        file.write(0, "", 0, picture(0))


MS = 1_000_000
START_NS = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ("stamps_ms", "shown"),
    [
        pytest.param([0, 300, 500, 1000], [3, 2, 5, 1], id="slower than the camera"),
        pytest.param([0, 40, 110, 190, 310], [0, 1, 1, 1, 1], id="faster at times"),
        pytest.param([0, 144, 288, 432, 576], [1, 2, 1, 2, 1], id="errors do not add up"),
        pytest.param([0, 200, -3_600_000, -3_599_900], [2, 1, 1, 1], id="set back"),
        pytest.param([0, 200, 9**12, 9**12 + 300], [2, 1, 3, 1], id="set ahead"),
    ],
)
def test_a_camera_s_video_plays_as_fast_as_it_was_taken(
    tmp_path: Path, stamps_ms: list[int], shown: list[int]
) -> None:
    """Its rate is 10 Hz, so each image is shown once for every 100 ms until the next one."""
    file = LiveOverlayVideo(tmp_path / "overlay.mp4", 10)
    levels = [40 + 40 * index for index in range(len(stamps_ms))]
    for index, (stamp_ms, level) in enumerate(zip(stamps_ms, levels, strict=True)):
        file.write(index, "", START_NS + stamp_ms * MS, picture(level))
    file.close()
    frames, rate_hz = read(tmp_path / "overlay.mp4")
    assert rate_hz == pytest.approx(10)
    found = [min(levels, key=lambda level: abs(level - f[..., 0].mean())) for f in frames]
    assert [found.count(level) for level in levels] == shown
    assert found == sorted(found)


def test_images_are_named_after_the_frames(tmp_path: Path) -> None:
    file = OverlayImages(tmp_path / "overlay")
    file.write(0, "first", 0, picture(9))
    file.write(1, "", 0, picture(8))
    file.close()
    names = sorted(path.name for path in (tmp_path / "overlay").iterdir())
    assert names == ["000001.png", "first.png"]
    image = cv2.imread(str(tmp_path / "overlay" / "first.png"))
    np.testing.assert_array_equal(image[..., ::-1], picture(9))
