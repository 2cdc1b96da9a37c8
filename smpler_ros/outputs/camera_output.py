"""The node's outputs for one camera; messages are built only for topics with subscribers."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from smpler_model.cameras.messages import Message
from smpler_model.drawing.overlay import RenderStyle, draw_result
from smpler_model.frames import Frame, FrameResult
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.inputs.camera_input import join_names
from smpler_ros.messages.convert import header_message, person_array_message, person_transforms
from smpler_ros.messages.images import jpeg_message
from smpler_ros.messages.markers import MeshMarkers, SkeletonMarkers
from smpler_ros.messages.message_types import MessageTypes
from smpler_ros.outputs.subscribers import has_subscribers

CLEAR_TIMEOUT = Duration(seconds=0.5)  # for each topic of markers
PEOPLE_DEPTH, TF_DEPTH, MARKERS_DEPTH, OVERLAY_DEPTH = 10, 100, 5, 1


@dataclass(frozen=True)
class TopicOutputs:
    """Fixed settings of the outputs.

    Attributes:
        model: name of the model, for `people`.
        faces: (f, 3) of the body.
        marker_lifetime_s: lifetime of the markers, seconds.
        mesh_opacity: 0 to 1.
        own_subscriptions: number of the node's own subscriptions to `/tf`, for the cameras' poses.
    """

    model: str
    faces: NDArray[np.integer[Any]]
    marker_lifetime_s: float
    mesh_opacity: float
    own_subscriptions: int = 0


@dataclass(frozen=True)
class LiveOutput:
    """Settings of the outputs that can change while the node is active.

    Attributes:
        tf: whether to publish frames on `/tf`.
        tf_prefix: prefix of frame names.
        tf_confidence: least confidence of joints that have frames, 0 to 1.
        vertices: whether `people` has vertices.
        overlay_mesh: whether the overlay shows meshes.
        jpeg_quality: JPEG quality of the overlay, 1 to 100.
    """

    tf: bool
    tf_prefix: str
    tf_confidence: float
    vertices: bool
    overlay_mesh: bool
    jpeg_quality: int


class Output(Protocol):
    """An additional output for every frame.

    Attributes:
        topics: its topics, for error messages.
    """

    topics: str

    def publish(self, header: Message, result: FrameResult) -> None:
        """Publish the messages of a frame."""

    def clear(self, header: Message) -> None:
        """Publish that there are no people any more."""

    def close(self) -> None:
        """Destroy the publishers."""


class CameraOutput:
    """The publishers of one camera. State: the displayed markers. They exist until `close`."""

    def __init__(
        self,
        node: LifecycleNode,
        namespace: str,
        types: MessageTypes,
        config: TopicOutputs,
        transforms: LifecyclePublisher[TFMessage],
    ) -> None:
        """Create the publishers.

        Args:
            node: publishing node.
            namespace: namespace of the camera, relative to the node's; empty for the node's own.
            types: the message classes.
            config: fixed settings.
            transforms: publisher of `/tf`, shared by all cameras.
        """
        self._node = node
        self._types = types
        self._config = config
        self._transforms = transforms
        self._others: list[Output] = []
        self._frame_id = ""

        def create(kind: type[Any], name: str, depth: int) -> LifecyclePublisher[Any]:
            topic = join_names(namespace, name)
            return node.create_lifecycle_publisher(kind, topic, QoSProfile(depth=depth))

        self._people = create(SmplPersonArray, "people", PEOPLE_DEPTH)
        self._meshes = create(MarkerArray, "mesh_markers", MARKERS_DEPTH)
        self._skeletons = create(MarkerArray, "skeleton_markers", MARKERS_DEPTH)
        self._overlay = create(CompressedImage, "overlay/compressed", OVERLAY_DEPTH)
        lifetime_s = config.marker_lifetime_s
        self._mesh_markers = MeshMarkers(
            types, config.faces, lifetime_s=lifetime_s, alpha=config.mesh_opacity
        )
        self._skeleton_markers = SkeletonMarkers(types, lifetime_s=lifetime_s)

    def add(self, other: Output) -> None:
        """Also publish another output of this camera, and close it with this one."""
        self._others.append(other)

    def needs_mesh(self, live: LiveOutput) -> bool:
        """Return whether an output with meshes has subscribers."""
        return (
            has_subscribers(self._meshes)
            or (live.vertices and has_subscribers(self._people))
            or (live.overlay_mesh and has_subscribers(self._overlay))
        )

    def publish_people(self, result: FrameResult, live: LiveOutput) -> None:
        """Publish people and their frames on topics with subscribers."""
        self._frame_id = result.frame_id
        header = header_message(self._types, result.stamp_ns, result.frame_id)
        if has_subscribers(self._people):
            self._people.publish(self._people_message(header, result, live))
        others = has_subscribers(self._transforms, self._config.own_subscriptions)
        if live.tf and len(result.people) and others:
            self._transforms.publish(
                person_transforms(self._types, header, result, live.tf_prefix, live.tf_confidence)
            )

    def publish_others(self, result: FrameResult) -> list[str]:
        """Publish the additional outputs; return a sentence for each that fails."""
        header = header_message(self._types, result.stamp_ns, result.frame_id)
        faults = []
        for other in self._others:
            try:
                other.publish(header, result)
            except Exception as error:  # it must not hold up the others
                what = f"{type(error).__name__}: {error}"
                faults.append(f"{other.topics} were not published: {what}")
        return faults

    def publish_views(self, frame: Frame, result: FrameResult, live: LiveOutput) -> None:
        """Publish markers and overlay on topics with subscribers."""
        header = header_message(self._types, result.stamp_ns, result.frame_id)
        has_mesh = result.people.vertices_m is not None
        if has_mesh and has_subscribers(self._meshes):
            self._meshes.publish(self._mesh_markers.serialize(header, result.people))
        if has_subscribers(self._skeletons):
            self._skeletons.publish(self._skeleton_markers.serialize(header, result.people))
        if has_subscribers(self._overlay):
            self._overlay.publish(self._overlay_message(header, frame, result, live))

    def clear(self, stamp_ns: int) -> None:
        """Delete all markers, and wait for acknowledgement: the process may end next."""
        header = header_message(self._types, stamp_ns, self._frame_id)
        for publisher, markers in (
            (self._meshes, self._mesh_markers),
            (self._skeletons, self._skeleton_markers),
        ):
            publisher.publish(markers.serialize_clear(header))
            publisher.wait_for_all_acked(CLEAR_TIMEOUT)
        for other in self._others:
            other.clear(header)

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in (self._people, self._meshes, self._skeletons, self._overlay):
            self._node.destroy_lifecycle_publisher(publisher)
        for other in self._others:
            other.close()

    def _people_message(self, header: Message, result: FrameResult, live: LiveOutput) -> Message:
        # Those who subscribed while the frame was processed get vertices from the next one on.
        vertices = live.vertices and result.people.vertices_m is not None
        return person_array_message(
            self._types, header, self._config.model, result, vertices=vertices
        )

    def _overlay_message(
        self, header: Message, frame: Frame, result: FrameResult, live: LiveOutput
    ) -> Message:
        style = RenderStyle(mesh=live.overlay_mesh and result.people.vertices_m is not None)
        image = draw_result(frame.rgb, result, self._config.faces, style)
        return jpeg_message(self._types, header, image, live.jpeg_quality)
