from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_ros.demo.contact_sheet import (
    CAPTION_PX,
    CELL_PX,
    COLUMNS,
    GAP_PX,
    WIDTH_PX,
    TimedImage,
    compose_sheet,
    read_evenly,
    write_contact_sheet,
)

RATE_HZ = 10.0


def write_video(path: Path, count: int, size: tuple[int, int] = (160, 120)) -> Path:
    """Write frames that get brighter, with a blue left and a red right half."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE_HZ, size)
    for index in range(count):
        writer.write(frame(index, count, size)[..., ::-1])
    writer.release()
    return path


def frame(index: int, count: int, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    image = np.full((size[1], size[0], 3), 40 + 150 * index // count, np.uint8)
    image[:, : size[0] // 2, 2] = 220
    image[:, size[0] // 2 :, 0] = 220
    return image


def cells_of(sheet: np.ndarray, cell_height: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the frames and the captions, row by row."""
    step = cell_height + CAPTION_PX + GAP_PX
    assert (sheet.shape[0] + GAP_PX) % step == 0
    cells = []
    for top in range(0, sheet.shape[0], step):
        for left in range(0, WIDTH_PX, CELL_PX + GAP_PX):
            column = sheet[top : top + cell_height + CAPTION_PX, left : left + CELL_PX]
            cells.append((column[:cell_height], column[cell_height:]))
    return cells


def test_a_video_gives_twelve_cells(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", 45)
    write_contact_sheet(video, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    assert sheet.shape[1] == WIDTH_PX
    cells = cells_of(sheet, round(CELL_PX * 120 / 160))
    assert len(cells) == 12
    for (picture, _), index in zip(cells, range(0, 45, 4), strict=True):
        expected = cv2.resize(frame(index, 45), picture.shape[1::-1])
        assert np.abs(picture.astype(float) - expected).mean() < 6
    captions = [caption for _, caption in cells]
    assert all(caption.min() < 100 < 200 < caption.max() for caption in captions)
    assert len({caption.tobytes() for caption in captions}) == 12


def test_times_are_those_of_the_video(tmp_path: Path) -> None:
    frames = read_evenly(write_video(tmp_path / "clip.mp4", 45), 12)
    assert [each.time_s for each in frames] == pytest.approx(np.arange(0, 4.5, 0.4))


@pytest.mark.parametrize("count", [1, 5])
def test_a_short_video_gives_all_its_frames(count: int, tmp_path: Path) -> None:
    frames = read_evenly(write_video(tmp_path / "clip.mp4", count), 12)
    assert [each.time_s for each in frames] == pytest.approx(np.arange(count) / RATE_HZ)
    cells = cells_of(compose_sheet(frames), round(CELL_PX * 120 / 160))
    assert len(cells) == COLUMNS * -(-count // COLUMNS)
    used = [picture.std() > 5 for picture, _ in cells]
    assert used == [index < count for index in range(len(cells))]


@pytest.mark.parametrize("size", [(120, 160), (1280, 720), (2000, 2)], ids=str)
def test_cells_keep_the_shape_of_frames(size: tuple[int, int]) -> None:
    sheet = compose_sheet([TimedImage(0.0, frame(0, 1, size))] * 3)
    height = max(round(CELL_PX * size[1] / size[0]), 1)
    assert sheet.shape == (height + CAPTION_PX, WIDTH_PX, 3)
    middle = sheet[height // 2]
    for column in range(3):
        left = column * (CELL_PX + GAP_PX)
        np.testing.assert_array_equal(middle[left + 5], (40, 40, 220))
        np.testing.assert_array_equal(middle[left + CELL_PX - 5], (220, 40, 40))


@pytest.mark.parametrize("content", [None, b"", b"no video"], ids=["missing", "empty", "other"])
def test_files_without_frames_are_refused(content: bytes | None, tmp_path: Path) -> None:
    video = tmp_path / "clip.mp4"
    if content is not None:
        video.write_bytes(content)
    with pytest.raises(ValueError, match=r"needs a video with frames, got none from .*clip\.mp4"):
        write_contact_sheet(video, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
