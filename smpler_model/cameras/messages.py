"""Frames from image messages, of rclpy or of `rosbags` alike: only their fields are looked at."""

from typing import Any, TypeAlias

from numpy.typing import ArrayLike

from smpler_model.cameras.camera import Camera, camera_from_camera_info
from smpler_model.cameras.depth import Metres, decode_compressed_depth, decode_raw_depth
from smpler_model.cameras.encodings import Rgb, decode_compressed, decode_raw
from smpler_model.frames import Frame

Message: TypeAlias = Any
"""A message of rclpy or of a `rosbags` typestore."""

NS_PER_S = 1_000_000_000


def stamp_ns_of(message: Message) -> int:
    """Return the stamp in the header of a message, nanoseconds."""
    stamp = message.header.stamp
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def is_compressed(message: Message) -> bool:
    """Tell a `sensor_msgs/CompressedImage` from a `sensor_msgs/Image`."""
    return hasattr(message, "format")


def decode_image(message: Message) -> Rgb:
    """Return the pixels of a `sensor_msgs/Image` or `sensor_msgs/CompressedImage`.

    Returns:
        (h, w, 3) uint8 RGB; for rgb8 a view of the message's data, see `encodings.decode_raw`.

    Raises:
        ImageError: the message holds no colour image that can be read.
    """
    if is_compressed(message):
        return decode_compressed(message.format, message.data)
    return decode_raw(**_raw_fields(message))


def decode_depth(message: Message) -> Metres:
    """Return the depth in a `sensor_msgs/Image` or `sensor_msgs/CompressedImage`.

    Returns:
        (h, w) float32 metres along the optical axis, NaN where nothing was measured.

    Raises:
        ImageError: the message holds no depth image that can be read.
    """
    if is_compressed(message):
        return decode_compressed_depth(message.format, message.data)
    return decode_raw_depth(**_raw_fields(message))


def camera_from_info(message: Message, *, rectified: bool = False) -> Camera | None:
    """Return the camera that a `sensor_msgs/CameraInfo` of ROS 1 or 2 describes.

    Args:
        message: the message.
        rectified: the images are the rectified ones (topics that end on `image_rect` and the
            like), which the message does not say.

    Returns:
        The camera for images as they are sent, after binning and region of interest; None where
        the message says that the camera is not calibrated.

    Raises:
        ValueError: the values describe no camera.
    """
    region = message.roi
    return camera_from_camera_info(
        width=int(region.width or message.width),
        height=int(region.height or message.height),
        lens=message.distortion_model,
        coefficients=_matrix(message, "d"),
        k=_matrix(message, "k"),
        p=_matrix(message, "p"),
        rectified=rectified,
        binning=(int(message.binning_x), int(message.binning_y)),
        offset=(int(region.x_offset), int(region.y_offset)),
    )


def frame_from_messages(
    image: Message,
    info: Message = None,
    depth: Message = None,
    *,
    rectified: bool = False,
) -> Frame:
    """Return the frame for the pipeline, stamped and named as the image.

    Args:
        image: a `sensor_msgs/Image` or `CompressedImage`.
        info: the camera's `sensor_msgs/CameraInfo`; None where there is none.
        depth: an aligned depth image, raw or compressed; None where there is none.
        rectified: see `camera_from_info`.

    Raises:
        ValueError: one of them cannot be read, or their sizes differ.
    """
    return Frame(
        rgb=decode_image(image),
        stamp_ns=stamp_ns_of(image),
        frame_id=image.header.frame_id,
        camera=None if info is None else camera_from_info(info, rectified=rectified),
        depth_m=None if depth is None else decode_depth(depth),
    )


def _raw_fields(message: Message) -> dict[str, Any]:
    return {
        "encoding": message.encoding,
        "height": int(message.height),
        "width": int(message.width),
        "step": int(message.step),
        "data": message.data,
        "is_bigendian": bool(message.is_bigendian),
    }


def _matrix(message: Message, name: str) -> ArrayLike:
    """Return a field that ROS 1 writes in capitals."""
    values: ArrayLike = getattr(message, name if hasattr(message, name) else name.upper())
    return values
