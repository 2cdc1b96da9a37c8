"""The synthetic camera's publishers; messages are built only for topics with subscribers."""

from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import LINK_FROM_OPTICAL
from smpler_model.cameras.messages import Message
from smpler_model.frames import FrameResult
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.camera.scene_player import SceneShot
from smpler_ros.inputs.camera_input import name_compressed
from smpler_ros.messages.convert import header_message, person_array_message, transform_message
from smpler_ros.messages.images import (
    camera_info_message,
    depth_message,
    image_message,
    jpeg_message,
)
from smpler_ros.messages.message_types import MessageTypes, message_types_from_ros
from smpler_ros.outputs.subscribers import has_subscribers
from smpler_ros.parameters.scene_settings import SceneSettings
from synthetic.truth import people_from_truth

TRUTH_MODEL = "ground_truth"

_IMAGE_DEPTH, _TRUTH_DEPTH, _TF_DEPTH = 2, 10, 100


class SceneTopics:
    """The publishers of a synthetic camera. They exist until `close`."""

    def __init__(self, node: LifecycleNode, settings: SceneSettings, camera: Camera) -> None:
        """Create the publishers.

        Args:
            node: publishing node.
            settings: settings of the synthetic camera.
            camera: camera model of the images.
        """
        self._node, self._settings, self._camera = node, settings, camera
        self._types: MessageTypes = message_types_from_ros(serialize_message)
        self._frame_id = settings.frame_id

        def create(kind: type[Any], name: str, depth: int) -> LifecyclePublisher[Any]:
            return node.create_lifecycle_publisher(kind, name, QoSProfile(depth=depth))

        self._image = create(Image, "image", _IMAGE_DEPTH)
        self._compressed = create(CompressedImage, name_compressed(node, "image"), _IMAGE_DEPTH)
        self._info = create(CameraInfo, "camera_info", _IMAGE_DEPTH)
        self._truth = create(SmplPersonArray, "ground_truth/people", _TRUTH_DEPTH)
        self._depth = create(Image, "depth", _IMAGE_DEPTH) if settings.publish_depth else None
        self._lifecycle = [
            publisher
            for publisher in (self._image, self._compressed, self._info, self._truth, self._depth)
            if publisher is not None
        ]
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._static: Publisher[TFMessage] = node.create_publisher(
            TFMessage, "/tf_static", latched
        )
        self._moving: Publisher[TFMessage] = node.create_publisher(
            TFMessage, "/tf", QoSProfile(depth=_TF_DEPTH)
        )

    def has_subscribers(self) -> bool:
        """Return whether a topic that needs an image has subscribers."""
        return any(map(has_subscribers, self._lifecycle)) or (
            self._moves and has_subscribers(self._moving) and bool(self._settings.world_frame)
        )

    def place(self, world_from_camera: Floats, stamp_ns: int) -> None:
        """Publish the static transforms; `world_from_camera` (4, 4) is the pose at the start."""
        if not self._settings.world_frame:
            return
        optical = self._transform("link_frame", "frame_id", LINK_FROM_OPTICAL, stamp_ns)
        transforms = [optical]
        if not self._moves:
            transforms.insert(0, self._link_transform(world_from_camera, stamp_ns))
        self._static.publish(self._types.tf_message(transforms=transforms))

    def publish(self, shot: SceneShot, stamp_ns: int) -> None:
        """Publish an image and its ground truth on topics with subscribers."""
        types, frame = self._types, shot.frame
        header = header_message(types, stamp_ns, self._frame_id)
        # Messages that belong to the image are sent before it.
        if self._moves and self._settings.world_frame and has_subscribers(self._moving):
            pose = self._link_transform(shot.truth.world_from_camera, stamp_ns)
            self._moving.publish(types.tf_message(transforms=[pose]))
        if has_subscribers(self._info):
            self._info.publish(camera_info_message(types, header, self._camera))
        if has_subscribers(self._truth):
            people = people_from_truth(shot.truth)
            result = FrameResult(stamp_ns, self._frame_id, self._camera, people)
            self._truth.publish(
                person_array_message(types, header, TRUTH_MODEL, result, vertices=False)
            )
        if self._depth is not None and frame.depth_m is not None and has_subscribers(self._depth):
            self._depth.publish(depth_message(types, header, frame.depth_m))
        if has_subscribers(self._image):
            self._image.publish(image_message(types, header, frame.rgb))
        if has_subscribers(self._compressed):
            quality = self._settings.jpeg_quality
            self._compressed.publish(jpeg_message(types, header, frame.rgb, quality))

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in self._lifecycle:
            self._node.destroy_lifecycle_publisher(publisher)
        for other in (self._static, self._moving):
            self._node.destroy_publisher(other)

    @property
    def _moves(self) -> bool:
        return self._settings.camera_motion != "still"

    def _link_transform(self, world_from_camera: Floats, stamp_ns: int) -> Message:
        world_from_link = world_from_camera @ LINK_FROM_OPTICAL.T  # a pure rotation
        return self._transform("world_frame", "link_frame", world_from_link, stamp_ns)

    def _transform(
        self, parent: str, child: str, parent_from_child: Floats, stamp_ns: int
    ) -> Message:
        """Return a transform between frames named by parameters."""
        header = header_message(self._types, stamp_ns, getattr(self._settings, parent))
        name = getattr(self._settings, child)
        return transform_message(self._types, header, name, parent_from_child)
