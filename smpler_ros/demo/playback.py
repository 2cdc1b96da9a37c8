"""Publishes images from a file like a camera."""

from collections.abc import Iterator

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image

from smpler_model.cameras.frame_tree import level_camera
from smpler_model.frames import Frame
from smpler_model.source import Source
from smpler_ros.camera.camera_stand import create_static_publisher, publish_static
from smpler_ros.inputs.steady_timer import create_steady_timer
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.images import camera_info_message, image_message
from smpler_ros.messages.message_types import message_types_from_ros
from smpler_ros.parameters.stand_settings import StandSettings

NODE_NAME = "smpler_node"
STILL_REPEATS = 10
DEPTH = 5


class Playback(Node):
    """Publishes `image`, and `camera_info` if known, at the source's rate.

    It starts when `smpler_node` subscribes to the image. A single image is published several
    times. As files have no camera pose, the camera is placed level at a usual height in a frame
    `map`, for viewers.
    State: the next frame, and whether it has started.

    Attributes:
        is_over: whether all frames were published.
    """

    def __init__(self, source: Source, frame_id: str = "camera_optical_frame") -> None:
        """Create the publishers.

        Args:
            source: source of the frames.
            frame_id: frame id for frames without one.
        """
        super().__init__("playback")
        self._types = message_types_from_ros(serialize_message)
        self._frames = repeat(source)
        self._frame_id = frame_id
        self._is_subscribed = False
        self.is_over = False
        qos = QoSProfile(depth=DEPTH)
        self._images = self.create_publisher(Image, "image", qos)
        self._infos = self.create_publisher(CameraInfo, "camera_info", qos)
        self._static = create_static_publisher(self)
        self._placed = ""
        create_steady_timer(self, 1 / source.rate_hz, self._publish)

    def _publish(self) -> None:
        if self.is_over or not (self._is_subscribed or is_subscribed_by_node(self, "image")):
            return
        self._is_subscribed = True
        frame = next(self._frames, None)
        if frame is None:
            self.is_over = True
            return
        now = self.get_clock().now().nanoseconds
        header = header_message(self._types, now, frame.frame_id or self._frame_id)
        self._place(header.frame_id)
        if frame.camera is not None:
            self._infos.publish(camera_info_message(self._types, header, frame.camera))
        self._images.publish(image_message(self._types, header, frame.rgb))

    def _place(self, frame_id: str) -> None:
        """Publish the pose of the camera, before its first image."""
        if frame_id == self._placed:
            return
        stand, self._placed = StandSettings(), frame_id
        pose = level_camera(stand.height, stand.pitch)
        publish_static(self, self._static, stand.world_frame, frame_id, pose)


def is_subscribed_by_node(node: Node, topic: str) -> bool:
    """Return whether `smpler_node` subscribes to a topic, whoever else does."""
    found = node.get_subscriptions_info_by_topic(topic)
    return any(each.node_name == NODE_NAME for each in found)


def repeat(source: Source) -> Iterator[Frame]:
    """Return the frames of a sequence, or each single image several times."""
    for frame in source.frames:
        for _ in range(1 if source.is_sequence else STILL_REPEATS):
            yield frame
