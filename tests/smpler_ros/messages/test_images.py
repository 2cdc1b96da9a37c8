"""Image messages, written and read back."""

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from smpler_model.cameras.camera import Camera
from smpler_model.cameras.messages import Message, camera_from_info, decode_depth, decode_image
from smpler_ros.messages.bag_types import message_types_from_rosbags, register_smpler_msgs
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.images import (
    camera_info_message,
    depth_message,
    image_message,
    jpeg_message,
)

STORE = get_typestore(Stores.ROS2_JAZZY)
register_smpler_msgs(STORE)
TYPES = message_types_from_rosbags(STORE)
HEADER = header_message(TYPES, 17_000_000_005, "camera")
RGB = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)


def there_and_back(message: Message) -> Message:
    return STORE.deserialize_cdr(TYPES.serialize(message), message.__msgtype__)


def test_raw_image() -> None:
    message = there_and_back(image_message(TYPES, HEADER, RGB))
    assert (message.height, message.width, message.encoding) == (48, 64, "rgb8")
    np.testing.assert_array_equal(decode_image(message), RGB)


def test_a_flipped_array_is_serialised_as_displayed() -> None:
    message = there_and_back(image_message(TYPES, HEADER, RGB[:, ::-1]))
    np.testing.assert_array_equal(decode_image(message), RGB[:, ::-1])


def test_jpeg() -> None:
    message = there_and_back(jpeg_message(TYPES, HEADER, RGB, 95))
    assert message.format == "rgb8; jpeg compressed bgr8"
    np.testing.assert_allclose(decode_image(message).astype(int), RGB.astype(int), atol=12)


def test_depth() -> None:
    depth_m = np.linspace(0.5, 9, 48 * 64, dtype=np.float32).reshape(48, 64)
    depth_m[3, 4] = np.nan
    message = there_and_back(depth_message(TYPES, HEADER, depth_m))
    np.testing.assert_array_equal(decode_depth(message), depth_m)


@pytest.mark.parametrize(
    "camera",
    [
        Camera(64, 48, 50, 51, 31.5, 23.5),
        Camera(64, 48, 50, 51, 31.5, 23.5, "plumb_bob", (0.1, -0.2, 0.01, 0, 0)),
        Camera(64, 48, 50, 51, 31.5, 23.5, "equidistant", (0.1, -0.2, 0.01, 0)),
    ],
    ids=["pinhole", "plumb_bob", "equidistant"],
)
def test_calibration(camera: Camera) -> None:
    message = there_and_back(camera_info_message(TYPES, HEADER, camera))
    assert camera_from_info(message) == camera


def test_an_assumed_camera_is_published_as_uncalibrated() -> None:
    camera = Camera(64, 48, 50, 51, 31.5, 23.5, calibrated=False)
    message = there_and_back(camera_info_message(TYPES, HEADER, camera))
    assert (message.width, message.height) == (64, 48)
    assert camera_from_info(message) is None
