"""Publishes people for planners: poses, boxes, and positions with velocities."""

from typing import Any

from geometry_msgs.msg import PoseArray
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSProfile

from smpler_model.cameras.messages import Message
from smpler_model.frames import FoundPeople
from smpler_ros.inputs.camera_input import join_names
from smpler_ros.messages.message_types import MessageTypes, import_message_class
from smpler_ros.messages.planners import (
    box_types,
    boxes_message,
    people_message,
    people_types,
    place_people,
    poses_message,
)
from smpler_ros.outputs.camera_output import CLEAR_TIMEOUT
from smpler_ros.outputs.subscribers import has_subscribers

POSES, BOXES, VELOCITIES = "people/poses", "people/boxes", "people/velocities"
DEPTH = 10


class PlannerOutput:
    """One camera's topics for planners, built only for topics with subscribers.

    `people/boxes` exists where `vision_msgs` is installed, and `people/velocities` where
    `people_msgs` is; the latter is published only with the camera's pose in the fixed frame.
    State: the frame of the last people.
    """

    topics = f"{POSES}, {BOXES} and {VELOCITIES}"

    def __init__(self, node: LifecycleNode, namespace: str, types: MessageTypes) -> None:
        """Create the publishers.

        Args:
            node: publishing node.
            namespace: namespace of the camera, relative to the node's; empty for the node's own.
            types: the message classes.
        """
        self._node, self._types = node, types
        self._frame_id = ""

        def create(kind: Any, name: str) -> LifecyclePublisher[Any]:  # noqa: ANN401 - a class
            topic = join_names(namespace, name)
            return node.create_lifecycle_publisher(kind, topic, QoSProfile(depth=DEPTH))

        self._poses = create(PoseArray, POSES)
        self._boxes = self._velocities = None
        try:
            self._box_types = box_types(import_message_class)
            self._boxes = create(self._box_types.detections, BOXES)
        except ImportError as error:
            node.get_logger().debug(f"{BOXES} needs vision_msgs: {error}")
        try:
            self._people_types = people_types(import_message_class)
            self._velocities = create(self._people_types.people, VELOCITIES)
        except ImportError as error:
            node.get_logger().debug(f"{VELOCITIES} needs people_msgs: {error}")

    def has_subscribers(self) -> bool:
        """Return whether any of the topics has subscribers."""
        return any(map(has_subscribers, self._publishers()))

    def publish(self, _header: Message, result: FoundPeople) -> None:
        """Publish the people of a frame."""
        subscribed = list(filter(has_subscribers, self._publishers()))
        if not subscribed:
            return
        types, stamp_ns, people = self._types, result.stamp_ns, result.people
        placed = place_people(result)
        self._frame_id = placed.frame_id
        if self._poses in subscribed:
            self._poses.publish(poses_message(types, stamp_ns, placed, PoseArray))
        if self._boxes is not None and self._boxes in subscribed:
            self._boxes.publish(boxes_message(types, self._box_types, stamp_ns, placed, people))
        if self._velocities in subscribed and self._velocities and people.motion is not None:
            kinds, motion = self._people_types, people.motion
            self._velocities.publish(
                people_message(types, kinds, stamp_ns, placed, people, motion)
            )

    def clear(self, header: Message) -> None:
        """Publish that there are no people any more, and wait for acknowledgement."""
        if not self._frame_id:
            return
        there = self._types.header(stamp=header.stamp, frame_id=self._frame_id)
        for publisher in self._publishers():
            if has_subscribers(publisher):
                publisher.publish(publisher.msg_type(header=there))
                publisher.wait_for_all_acked(CLEAR_TIMEOUT)
        self._frame_id = ""

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers():
            self._node.destroy_lifecycle_publisher(publisher)

    def _publishers(self) -> list[LifecyclePublisher[Any]]:
        every = (self._poses, self._boxes, self._velocities)
        return [publisher for publisher in every if publisher is not None]
