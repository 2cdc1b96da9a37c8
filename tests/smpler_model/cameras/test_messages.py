"""Frames from messages of rosbags' classes for ROS 2 and ROS 1."""

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from smpler_model.cameras.encodings import ImageError, encode_jpeg
from smpler_model.cameras.frame_reader import FrameReader
from smpler_model.cameras.messages import (
    Message,
    camera_from_info,
    decode_depth,
    decode_image,
    stamp_ns_of,
)

K = [500.0, 0, 31.5, 0, 510.0, 23.5, 0, 0, 1]
P = [400.0, 0, 30.0, 0, 0, 410.0, 22.0, 0, 0, 0, 1, 0]
RGB = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


@pytest.fixture(params=[Stores.ROS2_JAZZY, Stores.ROS1_NOETIC], ids=["ros2", "ros1"])
def store(request: pytest.FixtureRequest) -> Typestore:
    return get_typestore(request.param)


def header_of(store: Typestore) -> Message:
    stamp = store.types["builtin_interfaces/msg/Time"](sec=17, nanosec=999_999_999)
    counter = {"seq": 3} if "seq" in dict(store.fielddefs["std_msgs/msg/Header"][1]) else {}
    return store.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera", **counter)


def image_of(store: Typestore, encoding: str, values: np.ndarray) -> Message:
    return store.types["sensor_msgs/msg/Image"](
        header=header_of(store),
        height=values.shape[0],
        width=values.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=values.strides[0],
        data=values.view(np.uint8).ravel(),
    )


def compressed_of(store: Typestore, image_format: str, content: bytes) -> Message:
    return store.types["sensor_msgs/msg/CompressedImage"](
        header=header_of(store), format=image_format, data=np.frombuffer(content, np.uint8)
    )


def info_of(store: Typestore, **changes: object) -> Message:
    region = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
    fields = {
        "header": header_of(store),
        "height": 48,
        "width": 64,
        "distortion_model": "plumb_bob",
        "d": np.array([0.1, -0.05, 0, 0, 0]),
        "k": np.array(K),
        "r": np.eye(3).ravel(),
        "p": np.array(P),
        "binning_x": 0,
        "binning_y": 0,
        "roi": region,
        **changes,
    }
    fields["roi"] = store.types["sensor_msgs/msg/RegionOfInterest"](**{**region, **fields["roi"]})
    if "K" in dict(store.fielddefs["sensor_msgs/msg/CameraInfo"][1]):
        fields = {name.upper() if len(name) == 1 else name: fields[name] for name in fields}
    return store.types["sensor_msgs/msg/CameraInfo"](**fields)


def test_frame_of_all_three(store: Typestore) -> None:
    depth = image_of(store, "16UC1", np.full((48, 64), 1500, np.uint16))
    frame = FrameReader().read(image_of(store, "rgb8", RGB), [info_of(store)], depth)
    np.testing.assert_array_equal(frame.rgb, RGB)
    assert frame.stamp_ns == 17_999_999_999
    assert frame.frame_id == "camera"
    assert frame.camera is not None
    assert (frame.camera.fx, frame.camera.fy) == (500, 510)
    assert (frame.camera.cx, frame.camera.cy) == (31.5, 23.5)
    assert frame.camera.coefficients == (0.1, -0.05, 0, 0, 0)
    assert frame.depth_m is not None
    np.testing.assert_allclose(frame.depth_m, 1.5)


def test_frame_of_an_image_alone(store: Typestore) -> None:
    frame = FrameReader().read(compressed_of(store, "jpeg", encode_jpeg(RGB)))
    assert frame.rgb.shape == RGB.shape
    assert frame.camera is None
    assert frame.depth_m is None


def test_messages_from_a_bag(store: Typestore) -> None:
    kind = "sensor_msgs/msg/Image"
    if store.fielddefs["std_msgs/msg/Header"][1][0][0] == "seq":
        message = store.deserialize_ros1(
            store.serialize_ros1(image_of(store, "rgb8", RGB), kind), kind
        )
    else:
        message = store.deserialize_cdr(
            store.serialize_cdr(image_of(store, "rgb8", RGB), kind), kind
        )
    np.testing.assert_array_equal(decode_image(message), RGB)
    assert np.shares_memory(decode_image(message), message.data)
    assert stamp_ns_of(message) == 17_999_999_999


def test_depth_of_a_compressed_message(store: Typestore) -> None:
    with pytest.raises(ImageError, match="16-bit PNG"):
        decode_depth(compressed_of(store, "jpeg", encode_jpeg(RGB)))


def test_rectified_images_use_the_projection_without_distortion(store: Typestore) -> None:
    camera = camera_from_info(info_of(store), rectified=True)
    assert camera is not None
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (400, 410, 30, 22)
    assert camera.lens == "none"


def test_binning_and_region(store: Typestore) -> None:
    roi = {"x_offset": 8, "y_offset": 4, "width": 32, "height": 24}
    camera = camera_from_info(info_of(store, roi=roi, binning_x=2, binning_y=2))
    assert camera is not None
    assert (camera.width, camera.height) == (16, 12)
    assert (camera.fx, camera.fy) == (250, 255)
    assert (camera.cx, camera.cy) == (11.5, 9.5)


def test_uncalibrated_camera(store: Typestore) -> None:
    assert camera_from_info(info_of(store, k=np.zeros(9), p=np.zeros(12))) is None


def test_another_size_is_refused(store: Typestore) -> None:
    with pytest.raises(ValueError, match="calibrated for 32x48, the image is 64x48"):
        FrameReader().read(image_of(store, "rgb8", RGB), [info_of(store, width=32)])
