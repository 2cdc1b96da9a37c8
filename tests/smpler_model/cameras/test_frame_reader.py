"""Frames from a camera's messages, and the warnings about them."""

import numpy as np
import pytest

from smpler_model.cameras.encodings import encode_jpeg
from smpler_model.cameras.frame_reader import FrameReader, ImageSettings
from smpler_model.cameras.messages import CameraInfos, Message
from tests.bag_writer import START_NS, Messages, picture

make = Messages()
RGB = picture(3)
IMAGE = make.image(START_NS, RGB)


class Ear:
    """A reader, and its warnings."""

    def __init__(
        self, settings: ImageSettings | None = None, name: str = "", *, is_live: bool = False
    ) -> None:
        self.heard: list[str] = []
        self.reader = FrameReader(settings, self.heard.append, name=name, is_live=is_live)


def in_frame(message: Message, frame_id: str) -> Message:
    message.header.frame_id = frame_id
    return message


def test_each_image_gets_the_calibration_of_its_size() -> None:
    infos, ear = CameraInfos(), Ear()
    infos.add(make.info(START_NS, focal=40))
    infos.add(make.info(START_NS, focal=20, size=(16, 12)))
    small = make.image(START_NS, RGB[::2, ::2])
    for _ in range(2):
        for image, focal in ((IMAGE, 40), (small, 20)):
            camera = ear.reader.read(image, infos.all()).camera
            assert camera is not None
            assert camera.fx == focal
    infos.add(make.info(START_NS, focal=45))
    camera = ear.reader.read(IMAGE, infos.all()).camera
    assert camera is not None
    assert camera.fx == 45
    assert ear.heard == []


def test_only_recent_sizes_are_remembered() -> None:
    infos = CameraInfos()
    for width in range(1, 100):
        infos.add(make.info(START_NS, size=(width, 24)))
    assert len(infos.all()) < 10
    assert infos.all()[-1].width == 99


def test_a_calibration_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="calibrated for 16x12, the image is 32x24"):
        Ear().reader.read(IMAGE, [make.info(START_NS, size=(16, 12))])


def compressed(image_format: str, content: bytes) -> Message:
    message = make.compressed(START_NS, RGB)
    message.format, message.data = image_format, np.frombuffer(content, np.uint8)
    return message


@pytest.mark.parametrize(
    ("depth", "words"),
    [
        (make.image(START_NS, np.full((12, 16), 1500, np.uint16), "16UC1"), "32x24, got 16x12"),
        (compressed("16UC1; compressedDepth RVL", bytes(40)), "got RVL"),
        (compressed("16UC1; compressedDepth", bytes(40)), "16-bit PNG of one channel, got none"),
        (compressed("16UC1; compressedDepth png", b""), "got none"),
        (compressed("jpeg", encode_jpeg(RGB)), "16-bit PNG"),
        (make.image(START_NS, RGB), "got 'rgb8'"),
    ],
    ids=["size", "RVL", "no PNG", "empty", "jpeg", "colour"],
)
def test_unusable_depth_drops_no_image(depth: Message, words: str) -> None:
    ear = Ear()
    for _ in range(3):
        frame = ear.reader.read(IMAGE, [], depth)
        assert frame.depth_m is None
        np.testing.assert_array_equal(frame.rgb, RGB)
    (sentence,) = ear.heard
    assert sentence.startswith("depth is not used: ")
    assert words in sentence


@pytest.mark.parametrize(("is_live", "expected"), [(True, [1, 1, 1, 2]), (False, [1, 1, 1, 1])])
def test_unusable_depth_is_named_again_live(is_live: bool, expected: list[int]) -> None:
    ear = Ear(is_live=is_live)
    good = make.image(START_NS, np.full((24, 32), 1500, np.uint16), "16UC1")
    small = make.image(START_NS, np.full((12, 16), 1500, np.uint16), "16UC1")
    counts = []
    for depth, is_usable in ((small, False), (small, False), (good, True), (small, False)):
        assert (ear.reader.read(IMAGE, [], depth).depth_m is not None) == is_usable
        counts.append(len(ear.heard))
    assert counts == expected


@pytest.mark.parametrize(
    ("given", "name", "expected", "words"),
    [
        (
            "/head_camera",
            "",
            "head_camera",
            "must not begin with a slash in ROS 2, got '/head_camera'",
        ),
        ("", "", "camera", "an empty frame_id, and results use 'camera'"),
        ("", "/robot/front", "robot_front", "an empty frame_id, and results use 'robot_front'"),
        ("/", "front", "front", "an empty frame_id, and results use 'front'"),
    ],
)
def test_frame_ids_are_valid_in_tf(given: str, name: str, expected: str, words: str) -> None:
    ear = Ear(name=name)
    for _ in range(2):
        assert ear.reader.read(in_frame(make.image(START_NS, RGB), given)).frame_id == expected
    (sentence,) = ear.heard
    assert words in sentence


def test_yuyv_labelled_as_yuv422() -> None:
    """The bytes of (228, 113, 95): Y 141, U 103, V 180."""
    yuyv = np.tile(np.array([141, 103, 141, 180], np.uint8), (24, 16)).reshape(24, 32, 2)
    image = make.image(START_NS, yuyv, "yuv422")
    ear = Ear()
    wrong = ear.reader.read(image).rgb[0, 0].astype(int)
    ear.reader.read(image)
    assert np.abs(wrong - (228, 113, 95)).max() > 40
    (sentence,) = ear.heard
    assert "set yuv422 to yuyv" in sentence
    told = Ear(ImageSettings(yuv422="yuyv"))
    right = told.reader.read(image).rgb[0, 0].astype(int)
    np.testing.assert_allclose(right, (228, 113, 95), atol=3)
    assert told.heard == []


@pytest.mark.parametrize("padding", [2, 18, 128])
def test_rows_longer_than_step(padding: int) -> None:
    rows = np.pad(RGB.reshape(24, 96), ((0, 0), (0, padding)), constant_values=9)
    image = make.image(START_NS, RGB)
    image.data = rows.ravel()
    ear = Ear()
    for _ in range(2):
        np.testing.assert_array_equal(ear.reader.read(image).rgb, RGB)
    (sentence,) = ear.heard
    assert f"{96 + padding} bytes per row but step 96" in sentence


@pytest.mark.parametrize("surplus", [1, 100, 24 * 1000])
def test_bytes_after_the_image_are_ignored(surplus: int) -> None:
    image = make.image(START_NS, RGB)
    image.data = np.pad(image.data, (0, surplus))
    ear = Ear()
    for _ in range(2):
        np.testing.assert_array_equal(ear.reader.read(image).rgb, RGB)
    (sentence,) = ear.heard
    assert "more bytes than their 24 rows of 96" in sentence


def test_the_same_for_depth() -> None:
    depth = make.image(START_NS, np.full((24, 32), 1500, np.uint16), "16UC1")
    depth.data = np.pad(np.full((24, 64), 1, np.uint8), ((0, 0), (0, 8))).ravel()
    depth_m = FrameReader().read(IMAGE, [], depth).depth_m
    assert depth_m is not None
    np.testing.assert_allclose(depth_m, 0.257)
