"""Image messages from pixels and cameras. `smpler_model.cameras.messages` reads them."""

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import RgbImage
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.encodings import DEFAULT_JPEG_QUALITY, encode_jpeg
from smpler_model.cameras.messages import Message
from smpler_ros.messages.message_types import MessageTypes

_NO_LENS = "plumb_bob"  # image_geometry rejects an empty name


def image_message(types: MessageTypes, header: Message, rgb: RgbImage) -> Message:
    """Return an (h, w, 3) uint8 RGB image as `sensor_msgs/Image` in rgb8."""
    height, width = rgb.shape[:2]
    return _raw(types, header, "rgb8", (height, width), rgb.reshape(height, width * 3))


def depth_message(types: MessageTypes, header: Message, depth_m: NDArray[np.float32]) -> Message:
    """Return (h, w) metres as `sensor_msgs/Image` in 32FC1; NaN for missing measurements."""
    height, width = depth_m.shape
    return _raw(types, header, "32FC1", (height, width), depth_m.astype("<f4").view(np.uint8))


def jpeg_message(
    types: MessageTypes, header: Message, rgb: RgbImage, quality: int = DEFAULT_JPEG_QUALITY
) -> Message:
    """Return an (h, w, 3) uint8 RGB image as `sensor_msgs/CompressedImage`."""
    message = types.compressed_image(header=header, format="rgb8; jpeg compressed bgr8")
    message.data = types.sequence(np.frombuffer(encode_jpeg(rgb, quality), np.uint8))
    return message


def camera_info_message(types: MessageTypes, header: Message, camera: Camera) -> Message:
    """Return the `sensor_msgs/CameraInfo` of a camera; all zeros if it is not calibrated."""
    message = types.camera_info(header=header, height=camera.height, width=camera.width)
    if not camera.calibrated:
        return message
    message.distortion_model = _NO_LENS if camera.lens == "none" else camera.lens
    message.d = types.sequence(np.array(camera.coefficients or np.zeros(5), np.float64))
    message.k = camera.matrix.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.column_stack([camera.matrix, np.zeros(3)]).ravel()
    return message


def _raw(
    types: MessageTypes,
    header: Message,
    encoding: str,
    size: tuple[int, int],
    rows: NDArray[np.uint8],
) -> Message:
    height, width = size
    message = types.image(header=header, height=height, width=width, encoding=encoding)
    message.step = rows.shape[1]
    message.data = types.sequence(rows.ravel())
    return message
