"""An image together with the messages that belong to it."""

from dataclasses import dataclass

from smpler_model.cameras.messages import Message
from smpler_model.frames import CameraPose


@dataclass(frozen=True)
class Arrival:
    """A received image and the messages that belong to it.

    Attributes:
        image: `sensor_msgs/Image` or `CompressedImage`.
        camera_infos: the camera's calibrations, the newest last.
        depth: depth image with about the same timestamp; None if there is none.
        detections: `vision_msgs/Detection2DArray` with the same timestamp; None if there is none.
        wants_depth: whether depth is requested.
        pose: pose of the camera at the timestamp; None if it is unknown or not wanted.
    """

    image: Message
    camera_infos: tuple[Message, ...] = ()
    depth: Message | None = None
    detections: Message | None = None
    wants_depth: bool = False
    pose: CameraPose | None = None
