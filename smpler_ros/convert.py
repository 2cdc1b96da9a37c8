"""Messages from results, and results from messages. Message classes are passed in, not imported.

The node passes rclpy's classes and the bag writer those of `rosbags`, so both share this module
and it needs no ROS installation.
"""

from collections.abc import Callable
from typing import TypeVar

Message = TypeVar("Message")


def people_message(message_class: Callable[..., Message], header: object, model: str) -> Message:
    """Return a `smpler_msgs/SmplPersonArray` for an image in which nobody was estimated.

    Args:
        message_class: The class of `smpler_msgs/SmplPersonArray`.
        header: The image's `std_msgs/Header`: its stamp and optical frame.
        model: Name of the model.
    """
    return message_class(header=header, model=model, people=[])
