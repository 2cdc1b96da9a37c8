"""Finding the topics of cameras in real bags."""

from pathlib import Path

import numpy as np
import pytest

from smpler_model.bags.cameras import IMAGE, find_depth
from smpler_model.bags.reader import open_bag
from smpler_model.bags.storage import Topic
from smpler_model.source import SourceError
from tests.bag_writer import START_NS, Messages, Sent, camera_messages, picture, write_bag

FRONT, REAR = "/robot1/front/color/image_raw", "/robot1/rear/color/image_raw"
FRONT_DEPTH = "/robot1/front/aligned_depth_to_color/image_raw"
REAR_DEPTH = "/robot1/rear/aligned_depth_to_color/image_raw"

make = Messages()


def test_a_bag_without_images_lists_its_topics(tmp_path: Path) -> None:
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


def test_raw_images_are_preferred_and_depth_is_no_camera(tmp_path: Path) -> None:
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


def image_in(frame_id: str, topic: str) -> Sent:
    """An image in an optical frame, of the kind that its topic's name states."""
    if "depth" in topic:
        message = make.image(START_NS, np.full((24, 32), 1500, np.uint16), "16UC1")
    elif "infra" in topic:
        message = make.image(START_NS, np.full((24, 32), 90, np.uint8), "mono8")
    else:
        message = make.image(START_NS, picture(0))
    message.header.frame_id = frame_id
    return Sent(topic, message, START_NS)


def depths_of(folder: Path, sent: list[Sent]) -> dict[str, str | None]:
    """Return the depth topic of each camera in a bag."""
    with open_bag(write_bag(folder, sent)) as bag:
        return {camera.image: camera.depth for camera in bag.cameras}


def test_depth_belongs_to_the_images_in_its_optical_frame(tmp_path: Path) -> None:
    color, infra = "/camera/color/image_raw", "/camera/infra1/image_rect_raw"
    depth = "/camera/aligned_depth_to_color/image_raw"
    sent = [
        image_in("camera_color_optical_frame", color),
        image_in("camera_infra1_optical_frame", infra),
        image_in("/camera_color_optical_frame", depth),
    ]
    assert depths_of(tmp_path, sent) == {color: depth, infra: None}


def test_a_camera_without_depth_does_not_take_that_of_another(tmp_path: Path) -> None:
    sent = [image_in("front", FRONT), image_in("rear", REAR), image_in("rear", REAR_DEPTH)]
    assert depths_of(tmp_path, sent) == {FRONT: None, REAR: REAR_DEPTH}


@pytest.mark.parametrize("frames", [("front", "rear"), ("optical", "optical"), ("", "")])
def test_two_cameras_of_a_robot_have_their_own_depth(
    tmp_path: Path, frames: tuple[str, str]
) -> None:
    front, rear = frames
    sent = [image_in(front, topic) for topic in (FRONT, FRONT_DEPTH)]
    sent += [image_in(rear, topic) for topic in (REAR, REAR_DEPTH)]
    assert depths_of(tmp_path, sent) == {FRONT: FRONT_DEPTH, REAR: REAR_DEPTH}


def test_depth_without_a_readable_message_is_not_used() -> None:
    topics = {name: Topic(name, IMAGE, 1) for name in (FRONT, FRONT_DEPTH)}
    readable = {FRONT: image_in("front", FRONT).message}
    assert find_depth(FRONT, topics, readable.get) is None


def test_only_images_can_be_named_as_images(tmp_path: Path) -> None:
    disparity = make.disparity(START_NS, np.ones((24, 32), np.float32))
    sent = [*camera_messages(2), Sent("/stereo/disparity", disparity, START_NS)]
    with (
        open_bag(write_bag(tmp_path, sent)) as bag,
        pytest.raises(SourceError, match="has /cam/image_raw, got '/stereo/disparity'; name one"),
    ):
        bag.choose_camera("/stereo/disparity")


@pytest.mark.parametrize(
    ("topic", "rectified"),
    [
        ("/cam/image_rect", True),
        ("/cam/image_rect_color", True),
        ("/cam/image_rect/compressed", True),
        ("/cam/rgb/color/rect/image", True),
        ("/cam/image_direct", False),
        ("/cam/corrected", False),
        ("/rectangle/image_raw", False),
        ("/cam/image_raw", False),
    ],
)
def test_rectified_topics_are_recognised_by_name(
    tmp_path: Path, topic: str, rectified: bool
) -> None:
    make_image = make.compressed if topic.endswith("compressed") else make.image
    sent = [Sent(topic, make_image(START_NS, picture(0)), START_NS)]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        assert bag.choose_camera().rectified == rectified


def test_thermal_cameras_are_cameras_but_depth_is_not(tmp_path: Path) -> None:
    values = np.tile(np.linspace(7000, 8200, 32).astype(np.uint16), (24, 1))
    sent = [
        Sent("/thermal/image_raw", make.image(START_NS, values, "mono16"), START_NS),
        Sent("/cam/depth/image_raw", make.image(START_NS, values, "mono16"), START_NS),
        Sent("/other/image_raw", make.image(START_NS, values, "16UC1"), START_NS),
    ]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        (camera,) = bag.cameras
        assert camera.image == "/thermal/image_raw"
        ((_, frame),) = bag.read_frames([camera])
        named = bag.choose_camera("/other/image_raw")
        with pytest.raises(SourceError, match=r"got a depth image .'16UC1'.; name the camera's"):
            list(bag.read_frames([named]))
    assert frame.rgb.min() == 0
    assert frame.rgb.max() == 255


def test_warnings_are_given_once_and_drop_no_image(tmp_path: Path) -> None:
    sent = camera_messages()
    small = np.full((12, 16), 1500, np.uint16)
    for each in sent:
        each.message.header.frame_id = "/optical"
    sent += [
        Sent("/cam/depth", make.image(each.time_ns, small, "16UC1"), each.time_ns)
        for each in sent[::2]
    ]
    sent.sort(key=lambda each: each.time_ns)
    notes: list[tuple[str, str]] = []
    with open_bag(write_bag(tmp_path, sent)) as bag:
        camera = bag.choose_camera(depth="/cam/depth")
        frames = list(
            bag.read_frames([camera], note=lambda topic, note: notes.append((topic, note)))
        )
    assert len(frames) == 10
    assert {frame.frame_id for _, frame in frames} == {"optical"}
    assert [topic for topic, _ in notes] == ["/cam/image_raw"] * 2
    assert sorted(note[:24] for _, note in notes) == [
        "depth is not used: it mu",
        "frame ids must not begin",
    ]


def test_the_topics_of_librealsense(tmp_path: Path) -> None:
    depth = np.full((24, 32), 1500, np.uint16)
    device = "/device_0/sensor_{}/{}_0/{}"
    sent = [
        Sent(device.format(1, "Color", "info/camera_info"), make.info(0), 1),
        Sent(device.format(0, "Depth", "info/camera_info"), make.info(0, focal=99.0), 1),
        Sent(device.format(1, "Color", "image/data"), make.image(START_NS, picture(0)), START_NS),
        Sent(
            device.format(0, "Depth", "image/data"), make.image(START_NS, depth, "16UC1"), START_NS
        ),
    ]
    with open_bag(write_bag(tmp_path, sent)) as bag:
        ((_, frame),) = bag.read_frames([bag.choose_camera()])
    assert frame.camera is not None
    assert frame.camera.fx == 40
    assert frame.stamp_ns == START_NS
