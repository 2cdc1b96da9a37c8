"""Real files of every kind, whole and broken."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.cameras.camera import Camera
from smpler_model.frames import Frame
from smpler_model.source import SourceError
from smpler_model.sources import TopicNames, open_source
from tests.bag_writer import camera_messages, write_bag

HEIGHT, WIDTH, COUNT, RATE_HZ = 48, 64, 20, 10


def picture(index: int) -> np.ndarray:
    """An orange picture that grows darker, (48, 64, 3) RGB."""
    return np.full((HEIGHT, WIDTH, 3), (250 - 5 * index, 120, 10), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture(index)[..., ::-1])
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mkv"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, (WIDTH, HEIGHT))
    for index in range(COUNT):
        writer.write(np.ascontiguousarray(picture(index)[..., ::-1]))
    writer.release()
    return path


def test_one_image(folder: Path) -> None:
    camera = Camera(WIDTH, HEIGHT, 50, 50, 32, 24)
    with open_source(str(folder / "1.png"), camera) as source:
        assert (source.count, source.is_sequence) == (1, False)
        (frame,) = source.frames
    np.testing.assert_array_equal(frame.rgb, picture(1))
    assert frame.camera == camera


def test_a_folder_in_the_order_of_names(folder: Path) -> None:
    with open_source(str(folder)) as source:
        frames = list(source.frames)
    assert (source.count, source.is_sequence) == (3, True)
    np.testing.assert_array_equal([frame.rgb[0, 0, 0] for frame in frames], [250, 245, 240])
    assert np.all(np.diff([frame.stamp_ns for frame in frames]) > 0)


def test_a_video_at_its_own_rate(video: Path) -> None:
    with open_source(str(video)) as source:
        frames = list(source.frames)
    assert (source.count, source.rate_hz) == (COUNT, RATE_HZ)
    assert [frame.stamp_ns for frame in frames] == [i * 10**8 for i in range(COUNT)]
    np.testing.assert_allclose(frames[4].rgb.mean((0, 1)), picture(4)[0, 0], atol=4)


def read_until_error(path: Path, frames: list[Frame]) -> None:
    """Collect the frames of a source up to its end or its error."""
    with open_source(str(path)) as source:
        for frame in source.frames:
            frames.append(frame)  # one by one, so that those before an error stay


def test_a_video_that_breaks_off_gives_what_it_has_and_then_says_so(video: Path) -> None:
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) // 2])
    frames: list[Frame] = []
    with pytest.raises(SourceError, match="before it broke off"):
        read_until_error(video, frames)
    assert 3 < len(frames) < COUNT


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.mp4", None, "must be a file, a folder or a camera number"),
        ("broken.png", b"no image", "must be an image file"),
        ("empty.jpg", b"", "must be an image file"),
        ("broken.mp4", b"no video" * 50, "must be a video"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=words), open_source(str(path)) as source:
        list(source.frames)


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="must hold images"), open_source(str(tmp_path)):
        pass


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="camera 97"), open_source("97"):
        pass


def test_a_folder_leaves_out_what_cannot_be_read_and_says_so(folder: Path) -> None:
    (folder / "1.png").write_bytes(b"")
    reports: list[str] = []
    with open_source(str(folder), report=reports.append) as source:
        frames = list(source.frames)
        assert [source.names[frame.stamp_ns] for frame in frames] == ["0", "2"]
    assert len(reports) == 1
    assert "1.png must be an image file, got an empty one" in reports[0]


def test_a_folder_of_broken_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"no image")
    with (
        open_source(str(tmp_path), report=lambda text: None) as source,
        pytest.raises(SourceError, match="none among 1"),
    ):
        list(source.frames)


@pytest.mark.parametrize("form", ["sqlite3", "rosbag1"])
def test_a_bag_is_a_source_too(tmp_path: Path, form: str) -> None:
    path = write_bag(tmp_path, camera_messages(10, ros1=form == "rosbag1"), form)
    with open_source(str(path)) as source:
        assert source.count == 10
        assert source.rate_hz == pytest.approx(10)  # ten images in 0.9 s
        frames = list(source.frames)
    assert [frame.camera.fx for frame in frames if frame.camera] == [40] * 10
    mine = Camera(32, 24, 70, 70, 16, 12)
    with open_source(str(path), mine) as source:
        assert next(source.frames).camera == mine
    with open_source(str(path), topics=TopicNames(info="none")) as source:
        assert next(source.frames).camera is None
