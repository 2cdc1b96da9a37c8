"""Which topics of a real bag are a camera's."""

from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.reader import open_bag
from smpler_model.source import SourceError
from tests.bag_writer import START_NS, Messages, Sent, camera_messages, picture, write_bag

make = Messages()


def test_no_image_topic_is_named_with_what_there_is(tmp_path: Path) -> None:
    sent = [Sent("/cam/camera_info", make.info(START_NS), START_NS)]
    with (
        open_bag(write_bag(tmp_path, sent)) as bag,
        pytest.raises(SourceError, match=r"got none among /cam/camera_info"),
    ):
        bag.choose_camera()


def test_several_cameras_must_be_named_and_are_read_together(tmp_path: Path) -> None:
    left, right = camera_messages(6, topic="/left"), camera_messages(6, topic="/right")
    path = write_bag(tmp_path, [each for pair in zip(left, right, strict=True) for each in pair])
    with open_bag(path) as bag:
        with pytest.raises(SourceError, match="/left/image_raw, /right/image_raw; name"):
            bag.choose_camera()
        assert bag.choose_camera("/right/image_raw").info == "/right/camera_info"
        with pytest.raises(SourceError, match="got '/front'"):
            bag.choose_camera("/front")
        with pytest.raises(SourceError, match="one of /left/camera_info, /right/camera_info "):
            bag.choose_camera("/left/image_raw", info="/left/image_raw")
        both = list(bag.read_frames(bag.cameras))
    assert len(both) == 12
    assert sorted(frame.stamp_ns for _, frame in both) == [frame.stamp_ns for _, frame in both]
    assert {topic for topic, _ in both} == {"/left/image_raw", "/right/image_raw"}


def test_raw_images_go_before_compressed_ones_and_depth_is_no_camera(tmp_path: Path) -> None:
    pixels = picture(7)
    depth = np.full((24, 32), 1500, np.uint16)
    sent = [
        Sent("/cam/color/image_raw/compressed", make.compressed(START_NS, pixels), START_NS),
        Sent("/cam/color/image_raw", make.image(START_NS, pixels), START_NS),
        Sent("/cam/color/camera_info", make.info(START_NS), START_NS),
        Sent("/cam/depth/image_rect_raw", make.image(START_NS, depth, "16UC1"), START_NS),
        Sent("/cam/aligned_depth_to_color/image_raw", make.image(START_NS, depth, "16UC1"), 7),
    ]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        (camera,) = bag.cameras
        assert camera.image == "/cam/color/image_raw"
        assert camera.info == "/cam/color/camera_info"
        assert camera.depth == "/cam/aligned_depth_to_color/image_raw"
        ((_, frame),) = bag.read_frames([camera])
        compressed = bag.choose_camera("/cam/color/image_raw/compressed", depth="none")
        ((_, other),) = bag.read_frames([compressed])
    assert frame.depth_m is not None
    np.testing.assert_allclose(frame.depth_m, 1.5)
    np.testing.assert_array_equal(other.rgb, pixels)
    assert other.depth_m is None
    assert other.camera == frame.camera


def test_only_images_can_be_named_as_images(tmp_path: Path) -> None:
    disparity = make.disparity(START_NS, np.ones((24, 32), np.float32))
    sent = [*camera_messages(2), Sent("/stereo/disparity", disparity, START_NS)]
    with (
        open_bag(write_bag(tmp_path, sent)) as bag,
        pytest.raises(SourceError, match="has /cam/image_raw, got '/stereo/disparity'; choose"),
    ):
        bag.choose_camera("/stereo/disparity")
