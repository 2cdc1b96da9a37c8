"""Real files of every kind, whole and broken."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.cameras.camera import Camera
from smpler_model.cameras.turning import turn_camera
from smpler_model.frames import Frame
from smpler_model.settings.bag import BagSettings
from smpler_model.source import SourceError
from smpler_model.sources import open_source
from smpler_model.video_files import is_cut
from tests.bag_writer import camera_messages, write_bag
from tests.smpler_model.cameras.test_picture_header import turned_jpeg

HEIGHT, WIDTH, COUNT, RATE_HZ = 48, 64, 20, 10


def picture(index: int) -> np.ndarray:
    """An orange image that gets darker, (48, 64, 3) RGB."""
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


def test_numbers_in_names_count_by_their_values(tmp_path: Path) -> None:
    names = ["007", "7", "8", "10", "frame_2", "frame_10", "take 2_11", "take 10_1", "x"]
    for index, name in reversed(list(enumerate(names))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture(index)[..., ::-1])
    with open_source(str(tmp_path)) as source:
        frames = list(source.frames)
    assert [source.names[frame.stamp_ns] for frame in frames] == names
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, picture(index))
    assert np.all(np.diff([frame.stamp_ns for frame in frames]) > 0)


def test_a_video_at_its_own_rate(video: Path) -> None:
    with open_source(str(video)) as source:
        frames = list(source.frames)
    assert (source.count, source.rate_hz, source.is_live) == (COUNT, RATE_HZ, False)
    assert [frame.stamp_ns for frame in frames] == [i * 10**8 for i in range(COUNT)]
    np.testing.assert_allclose(frames[4].rgb.mean((0, 1)), picture(4)[0, 0], atol=4)


def test_a_camera_is_live(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A video stands in for it."""
    capture = cv2.VideoCapture(str(video))
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: capture)
    with open_source("0") as source:
        frames = list(source.frames)
    assert (source.count, source.rate_hz, source.is_live) == (None, RATE_HZ, True)
    assert len(frames) == COUNT
    assert frames[0].stamp_ns > 10**18


def read_until_error(path: Path, frames: list[Frame]) -> None:
    """Collect the frames of a source up to its end or its error."""
    with open_source(str(path)) as source:
        for frame in source.frames:
            frames.append(frame)  # one by one, so that those before an error stay


def test_a_video_that_breaks_off_gives_what_it_has_and_then_says_so(video: Path) -> None:
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) // 2])
    frames: list[Frame] = []
    with pytest.raises(SourceError, match="before it was truncated"):
        read_until_error(video, frames)
    assert 3 < len(frames) < COUNT


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_a_video_without_its_last_frames_broke_off(tmp_path: Path, suffix: str) -> None:
    path, rng = tmp_path / f"video{suffix}", np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, (WIDTH, HEIGHT))
    for _ in range(60):
        writer.write(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    writer.release()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(0.95 * len(whole))])
    frames: list[Frame] = []
    with pytest.raises(SourceError, match="before it was truncated"):
        read_until_error(path, frames)
    assert 54 <= len(frames) < 60


def promising(path: Path, promised: int, held: int) -> Path:
    """Write an AVI whose header states more frames than it has."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, (WIDTH, HEIGHT))
    for index in range(held):
        writer.write(np.ascontiguousarray(picture(index)[..., ::-1]))
    writer.release()
    content = bytearray(path.read_bytes())
    at = content.index(b"strh") + 8 + 32
    assert int.from_bytes(content[at : at + 4], "little") == held
    content[at : at + 4] = promised.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def test_a_video_that_promises_more_than_it_holds_is_whole(tmp_path: Path) -> None:
    path = promising(tmp_path / "video.avi", promised=12, held=10)
    said: list[str] = []
    with open_source(str(path), report=said.append) as source:
        frames = list(source.frames)
    assert (source.count, len(frames)) == (12, 10)
    (sentence,) = said
    assert "states 12 frames and has 10" in sentence


def test_a_video_with_nearly_as_many_frames_as_it_promises_is_whole(tmp_path: Path) -> None:
    path = promising(tmp_path / "video.avi", promised=20, held=19)
    said: list[str] = []
    with open_source(str(path), report=said.append) as source:
        assert len(list(source.frames)) == 19
    assert said == []


def test_a_video_without_most_of_what_it_promises_broke_off(tmp_path: Path) -> None:
    path = promising(tmp_path / "video.avi", promised=100, held=10)
    frames: list[Frame] = []
    with pytest.raises(SourceError, match="must have 100 frames, got 10"):
        read_until_error(path, frames)
    assert len(frames) == 10


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mp4"])
def test_files_that_are_shorter_than_they_say(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"video{suffix}"
    code = cv2.VideoWriter.fourcc(*("mp4v" if suffix == ".mp4" else "MJPG"))
    writer = cv2.VideoWriter(str(path), code, RATE_HZ, (WIDTH, HEIGHT))
    for index in range(COUNT):
        writer.write(np.ascontiguousarray(picture(index)[..., ::-1]))
    writer.release()
    assert not is_cut(path)
    whole = path.read_bytes()
    for part in (0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(part * len(whole))])
        assert is_cut(path)
    path.write_bytes(b"something else")
    assert not is_cut(path)
    if suffix == ".mp4":
        path.write_bytes(whole + bytes(range(128, 160)))  # after the last box
        assert not is_cut(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_that_is_turned_takes_the_calibration_of_its_sensor_along(
    tmp_path: Path, orientation: int
) -> None:
    (tmp_path / "photo.jpg").write_bytes(turned_jpeg(np.zeros((24, 32, 3), np.uint8), orientation))
    camera = Camera(32, 24, 40, 41, 14, 11, "plumb_bob", (-0.2, 0.05, 0.001, 0.002))
    expected = turn_camera(camera, orientation)
    for name in (tmp_path / "photo.jpg", tmp_path):
        with open_source(str(name), camera) as source:
            (frame,) = source.frames
        assert frame.rgb.shape == ((24, 32, 3) if orientation < 5 else (32, 24, 3))
        assert frame.camera == expected


def test_a_calibration_with_turned_photos_stays(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(turned_jpeg(np.zeros((24, 32, 3), np.uint8), 6))
    camera = Camera(24, 32, 40, 41, 11, 14)
    with open_source(str(tmp_path / "photo.jpg"), camera) as source:
        (frame,) = source.frames
    assert frame.camera == camera


def test_a_photo_of_too_many_pixels_is_named(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((9000, 9000), np.uint8))[1].tobytes())
    with pytest.raises(SourceError, match=r"huge.png: an image may have up to 67 million"):
        read_until_error(path, [])


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
    assert [frame.recorded_ns - frame.stamp_ns for frame in frames] == [6_000_000] * 10
    mine = Camera(32, 24, 70, 70, 16, 12)
    with open_source(str(path), mine) as source:
        assert next(source.frames).camera == mine
    with open_source(str(path), settings=BagSettings(info_topic="none")) as source:
        assert next(source.frames).camera is None
