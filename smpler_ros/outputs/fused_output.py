"""Publishes the people fused from several cameras, in the fixed frame."""

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from smpler_model.cameras.messages import Message
from smpler_model.frames import FrameResult, People
from smpler_model.settings.world import FUSED
from smpler_model.step_times import measure
from smpler_model.views.fuser import FusedResult, ViewFuser
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.inputs.camera_input import join_names
from smpler_ros.messages.convert import header_message, person_array_message, person_transforms
from smpler_ros.messages.markers import MeshMarkers, SkeletonMarkers
from smpler_ros.messages.message_types import MessageTypes
from smpler_ros.outputs.camera_output import (
    CLEAR_TIMEOUT,
    MARKERS_DEPTH,
    PEOPLE_DEPTH,
    LiveOutput,
    TopicOutputs,
)
from smpler_ros.outputs.planner_output import PlannerOutput
from smpler_ros.outputs.subscribers import has_subscribers


class FusedOutput:
    """The topics of all cameras together: people, frames, meshes, skeletons, those for planners.

    Nothing is fused while none of them has a subscriber, apart from the node's own to `/tf`; ids
    then start anew, with other numbers. State: the images that wait for those of other cameras,
    and the displayed markers.
    """

    def __init__(
        self,
        node: LifecycleNode,
        types: MessageTypes,
        fuser: ViewFuser,
        config: TopicOutputs,
        transforms: LifecyclePublisher[TFMessage],
        add_mesh: Callable[[People], People],
    ) -> None:
        """Create the publishers.

        Args:
            node: publishing node.
            types: the message classes.
            fuser: fuses the results.
            config: fixed settings.
            transforms: publisher of `/tf`, shared with the cameras.
            add_mesh: adds vertices to people.
        """
        self._node, self._types, self._fuser, self._config = node, types, fuser, config
        self._transforms, self._add_mesh = transforms, add_mesh

        def create(kind: type[Any], name: str, depth: int) -> LifecyclePublisher[Any]:
            topic = join_names(FUSED, name)
            return node.create_lifecycle_publisher(kind, topic, QoSProfile(depth=depth))

        self._people = create(SmplPersonArray, "people", PEOPLE_DEPTH)
        self._skeletons = create(MarkerArray, "skeleton_markers", MARKERS_DEPTH)
        self._meshes = create(MarkerArray, "mesh_markers", MARKERS_DEPTH)
        lifetime_s = config.marker_lifetime_s
        self._markers = SkeletonMarkers(types, lifetime_s=lifetime_s)
        self._mesh_markers = MeshMarkers(
            types, config.faces, lifetime_s=lifetime_s, alpha=config.mesh_opacity
        )
        self._planners = PlannerOutput(node, FUSED, types)
        self._had_subscribers = False
        self._moments = self._incomplete = 0
        self._timings_ms: dict[str, float] = {}
        self._frame_id = ""

    def publish(self, results: Mapping[str, FrameResult], live: LiveOutput) -> None:
        """Add results by camera, and publish the moments for which no more images come."""
        if not self._has_subscribers(live):
            if self._had_subscribers:
                self._fuser.reset()
            self._had_subscribers = False
            return
        self._had_subscribers = True
        with measure(self._timings_ms, "fuse"):
            moments = self._fuser.fuse(results)
        for fused in moments:
            self._publish(fused, live)
            self._moments += 1
            self._incomplete += len(fused.stamps_ns) < self._fuser.camera_count

    def facts(self) -> dict[str, str]:
        """Return values for the diagnostics."""
        mean_ms = self._timings_ms.get("fuse", 0.0) / max(self._moments, 1)
        return {
            "moments fused": str(self._moments),
            "moments fused without a camera": str(self._incomplete),
            "fuse (ms)": f"{mean_ms:.2f}",
        }

    def clear(self, stamp_ns: int) -> None:
        """Delete all markers, wait for acknowledgement, and forget what waits."""
        self._fuser.reset()
        header = header_message(self._types, stamp_ns, self._frame_id)
        for publisher, markers in (
            (self._skeletons, self._markers),
            (self._meshes, self._mesh_markers),
        ):
            publisher.publish(markers.serialize_clear(header))
            publisher.wait_for_all_acked(CLEAR_TIMEOUT)
        self._planners.clear(header)

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in (self._people, self._skeletons, self._meshes):
            self._node.destroy_lifecycle_publisher(publisher)
        self._planners.close()

    def _has_subscribers(self, live: LiveOutput) -> bool:
        own = (self._people, self._skeletons, self._meshes)
        return (
            self._wants_frames(live)
            or self._planners.has_subscribers()
            or any(map(has_subscribers, own))
        )

    def _wants_frames(self, live: LiveOutput) -> bool:
        return live.tf and has_subscribers(self._transforms, self._config.own_subscriptions)

    def _publish(self, fused: FusedResult, live: LiveOutput) -> None:
        self._frame_id = fused.frame_id
        header = header_message(self._types, fused.stamp_ns, fused.frame_id)
        if has_subscribers(self._people):
            self._people.publish(self._people_message(header, fused))
        if self._wants_frames(live) and len(fused.people):
            prefix = f"{live.tf_prefix}{FUSED}/"
            self._transforms.publish(
                person_transforms(self._types, header, fused, prefix, live.tf_confidence)
            )
        if has_subscribers(self._meshes):
            people = self._add_mesh(fused.people)
            self._meshes.publish(self._mesh_markers.serialize(header, people))
        if has_subscribers(self._skeletons):
            self._skeletons.publish(self._markers.serialize(header, fused.people))
        self._planners.publish(header, fused)

    def _people_message(self, header: Message, fused: FusedResult) -> Message:
        return person_array_message(self._types, header, self._config.model, fused, vertices=False)
