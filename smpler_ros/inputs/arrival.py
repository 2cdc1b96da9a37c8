"""What arrives together: an image and what belongs to it."""

from dataclasses import dataclass

from smpler_ros.messages.message_types import Message


@dataclass(frozen=True)
class Arrival:
    """An image as it came, and what came with it.

    Attributes:
        image: `sensor_msgs/Image` or `CompressedImage`.
        camera_infos: the camera's calibrations, the newest last.
        depth: depth image of about the same stamp; None where there is none.
        detections: `vision_msgs/Detection2DArray` of the same stamp; None where there is none.
    """

    image: Message
    camera_infos: tuple[Message, ...] = ()
    depth: Message | None = None
    detections: Message | None = None
