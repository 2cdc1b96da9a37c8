"""The message classes of results: those of a ROS installation or of `rosbags`."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from smpler_model.cameras.messages import Message

Sequence: TypeAlias = Any
"""Value of a field that is a sequence of numbers."""

Constructor: TypeAlias = Callable[..., Message]
"""Creates a message; fields that are not given have default values."""


@dataclass(frozen=True)
class MessageTypes:
    """Constructors of messages, and other differences between rclpy and `rosbags`.

    Attributes:
        sequence: converts a flat array to the value of a sequence of numbers.
        serialize: returns the CDR bytes of a message.
    """

    camera_info: Constructor
    compressed_image: Constructor
    header: Constructor
    image: Constructor
    marker: Constructor
    marker_array: Constructor
    person: Constructor
    person_array: Constructor
    point: Constructor
    pose: Constructor
    tf_message: Constructor
    time: Constructor
    transform_stamped: Constructor
    sequence: Callable[[NDArray[Any]], Sequence]
    serialize: Callable[[Message], bytes]


MESSAGE_NAMES = {
    "camera_info": "sensor_msgs/msg/CameraInfo",
    "compressed_image": "sensor_msgs/msg/CompressedImage",
    "header": "std_msgs/msg/Header",
    "image": "sensor_msgs/msg/Image",
    "marker": "visualization_msgs/msg/Marker",
    "marker_array": "visualization_msgs/msg/MarkerArray",
    "person": "smpler_msgs/msg/SmplPerson",
    "person_array": "smpler_msgs/msg/SmplPersonArray",
    "point": "geometry_msgs/msg/Point",
    "pose": "geometry_msgs/msg/Pose",
    "tf_message": "tf2_msgs/msg/TFMessage",
    "time": "builtin_interfaces/msg/Time",
    "transform_stamped": "geometry_msgs/msg/TransformStamped",
}
"""Full names of the messages in `MessageTypes`."""


def message_types_from_ros(serialize: Callable[[Message], bytes]) -> MessageTypes:
    """Return the classes of the sourced ROS installation.

    Args:
        serialize: `rclpy.serialization.serialize_message`.

    Raises:
        ImportError: a message package is missing.
    """
    classes = {field: import_message_class(name) for field, name in MESSAGE_NAMES.items()}
    return MessageTypes(**classes, sequence=sequence_for_rclpy, serialize=serialize)


def import_message_class(name: str) -> Constructor:
    """Return a class of the ROS installation by its full name, such as `std_msgs/msg/Header`.

    Raises:
        ImportError: its package is missing, or lacks it.
    """
    package, _, kind = name.split("/")
    module = import_module(f"{package}.msg")
    if not hasattr(module, kind):
        raise ImportError(f"{package} has no message {kind}")
    constructor: Constructor = getattr(module, kind)
    return constructor


def sequence_for_rclpy(values: NDArray[Any]) -> Sequence:
    """Return numbers as `array.array`: rclpy converts NumPy arrays element by element."""
    sequence = array(values.dtype.char)
    sequence.frombytes(np.ascontiguousarray(values).view(np.uint8).data)
    return sequence
