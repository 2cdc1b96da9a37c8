"""Contents of image messages from rclpy and from `rosbags` alike: only fields are accessed."""

from typing import Any, TypeAlias

from numpy.typing import ArrayLike

from smpler_model.array_types import RgbImage
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.camera_info import Size, camera_from_camera_info
from smpler_model.cameras.depth import Metres, decode_compressed_depth, decode_raw_depth
from smpler_model.cameras.encodings import (
    DEFAULT_YUV422,
    Yuv422,
    decode_compressed,
    decode_raw,
)
from smpler_model.notices import Notify

Message: TypeAlias = Any
"""A message of rclpy or of a `rosbags` typestore."""

NS_PER_S = 1_000_000_000

_MOST_SIZES = 8


def stamp_ns_of(message: Message) -> int:
    """Return the timestamp in the header of a message, nanoseconds."""
    stamp = message.header.stamp
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def is_compressed(message: Message) -> bool:
    """Return whether a message is a `sensor_msgs/CompressedImage`, not a `sensor_msgs/Image`."""
    return hasattr(message, "format")


def decode_image(
    message: Message, *, yuv422: Yuv422 = DEFAULT_YUV422, note: Notify | None = None
) -> RgbImage:
    """Return the pixels of a `sensor_msgs/Image` or `sensor_msgs/CompressedImage`.

    Args:
        message: the message.
        yuv422: see `encodings.decode_raw`.
        note: called with warnings.

    Returns:
        (h, w, 3) uint8 RGB; for rgb8 a view of the message's data, see `encodings.decode_raw`.

    Raises:
        ImageError: the message holds no colour image that can be decoded.
    """
    if is_compressed(message):
        return decode_compressed(message.format, message.data)
    return decode_raw(**_raw_fields(message), yuv422=yuv422, note=note)


def decode_depth(message: Message) -> Metres:
    """Return the depth in a `sensor_msgs/Image` or `sensor_msgs/CompressedImage`.

    Returns:
        (h, w) float32 metres along the optical axis, NaN where nothing was measured.

    Raises:
        ImageError: the message holds no depth image that can be decoded.
    """
    if is_compressed(message):
        return decode_compressed_depth(message.format, message.data)
    return decode_raw_depth(**_raw_fields(message))


def camera_from_info(
    message: Message,
    *,
    rectified: bool = False,
    image_size: Size | None = None,
    note: Notify | None = None,
) -> Camera | None:
    """Return the camera that a `sensor_msgs/CameraInfo` of ROS 1 or 2 describes.

    Args:
        message: the message.
        rectified: whether the images are rectified (topics that end in `image_rect` and the
            like), which the message does not state.
        image_size: width and height of the image, if known.
        note: called with warnings; without it, an unknown lens model is an error.

    Returns:
        The camera for images as they are sent, after binning and region of interest; None if the
        message states that the camera is not calibrated.

    Raises:
        ValueError: the values describe no possible camera.
    """
    region = message.roi
    return camera_from_camera_info(
        width=int(message.width),
        height=int(message.height),
        lens=message.distortion_model,
        coefficients=_matrix(message, "d"),
        k=_matrix(message, "k"),
        p=_matrix(message, "p"),
        rectified=rectified,
        binning=(int(message.binning_x), int(message.binning_y)),
        offset=(int(region.x_offset), int(region.y_offset)),
        region=(int(region.width), int(region.height)),
        image_size=image_size,
        note=note,
    )


class CameraInfos:
    """The newest `sensor_msgs/CameraInfo` for each of the most recent image sizes."""

    def __init__(self) -> None:
        self._by_size: dict[tuple[int, ...], Message] = {}

    def add(self, message: Message) -> None:
        """Store a message, replacing an earlier one for images of its size."""
        region = message.roi
        binning = message.binning_x, message.binning_y
        key = (message.width, message.height, region.width, region.height, *binning)
        self._by_size.pop(key, None)
        self._by_size[key] = message
        if len(self._by_size) > _MOST_SIZES:
            del self._by_size[next(iter(self._by_size))]

    def all(self) -> tuple[Message, ...]:
        """Return the stored messages, the newest last."""
        return tuple(self._by_size.values())


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
    """Return a field whose name is in capitals in ROS 1."""
    values: ArrayLike = getattr(message, name if hasattr(message, name) else name.upper())
    return values
