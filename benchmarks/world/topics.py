"""Sends the robot's images and transforms to the node, and receives people, over real topics."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from benchmarks.world.scene import BASE_FROM_CAMERA, FRAME, RobotPath
from smpler_model.array_types import Floats
from smpler_model.bags.people_topics import people_from_message
from smpler_model.cameras.messages import NS_PER_S, stamp_ns_of
from smpler_model.frames import Frame, People
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.messages.convert import header_message, transform_message
from smpler_ros.messages.images import camera_info_message, depth_message, image_message
from smpler_ros.messages.message_types import message_types_from_ros
from smpler_ros.node.smpler_node import SmplerNode
from synthetic.truth import SceneFrame

Source = Literal["depth", "floor", "feet", "size"]

SWITCHES: dict[Source, str] = {
    "depth": "use_depth",
    "floor": "use_floor",
    "feet": "floor_from_feet",
}
"""The node's parameter by source of people's distance; none for an assumed size."""

NEEDS_FIXED_FRAME: tuple[Source, ...] = ("floor",)

WORLD, BASE = "map", "base_link"
START_NS = 1_700_000_000 * NS_PER_S

_TF_STEP_NS = 20_000_000  # 50 Hz, not in step with the images
_LEAD_NS = 20 * NS_PER_S  # before the first image, for blank ones
_PATIENCE_S = 120.0  # on a busy machine
_SEND_AGAIN_S = 10.0


@dataclass(frozen=True)
class Answer:
    """The node's people in one image.

    Attributes:
        time_s: time of the image.
        people: the people.
        fixed_frame: the message's.
        floor: (4) plane of the floor in the optical frame, the message's; NaN where unknown.
    """

    time_s: float
    people: People
    fixed_frame: str
    floor: Floats


class Robot:
    """Publishes what a robot publishes, and collects the answers."""

    def __init__(self, node: Node, *, has_depth: bool) -> None:
        self._has_depth = has_depth
        self._types = message_types_from_ros(serialize_message)
        self._images = node.create_publisher(Image, "image", 2)
        self._depths = node.create_publisher(Image, "depth", 2)
        self._infos = node.create_publisher(CameraInfo, "camera_info", 2)
        self._moving = node.create_publisher(TFMessage, "/tf", 100)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._static = node.create_publisher(TFMessage, "/tf_static", latched)
        self._static.publish(self._transform(BASE, FRAME, BASE_FROM_CAMERA, 0))
        self._path = RobotPath()
        self._sent_tf_ns = -_LEAD_NS
        self.answers: dict[int, Answer] = {}
        node.create_subscription(SmplPersonArray, "people", self._store, 10)

    def has_subscribers(self) -> bool:
        """Return whether the node subscribes to images, depth and calibration."""
        publishers = [self._images, self._infos, *([self._depths] if self._has_depth else [])]
        return all(publisher.get_subscription_count() for publisher in publishers)

    def send(self, frame: Frame) -> None:
        """Send an image with calibration, and depth, then the transforms around its time."""
        assert frame.camera is not None
        header = header_message(self._types, START_NS + frame.stamp_ns, FRAME)
        self._infos.publish(camera_info_message(self._types, header, frame.camera))
        if self._has_depth:
            assert frame.depth_m is not None
            self._depths.publish(depth_message(self._types, header, frame.depth_m))
        self._images.publish(image_message(self._types, header, frame.rgb))
        while self._sent_tf_ns < frame.stamp_ns:
            self._sent_tf_ns += _TF_STEP_NS
            pose = self._path.world_from_base(self._sent_tf_ns / NS_PER_S)
            self._moving.publish(self._transform(WORLD, BASE, pose, self._sent_tf_ns))

    def _transform(self, parent: str, child: str, pose: Floats, time_ns: int) -> TFMessage:
        header = header_message(self._types, START_NS + time_ns, parent)
        transform = transform_message(self._types, header, child, pose)
        return self._types.tf_message(transforms=[transform])

    def _store(self, message: SmplPersonArray) -> None:
        time_ns = stamp_ns_of(message) - START_NS
        people = people_from_message(message)
        floor = np.asarray(message.floor, np.float64)
        self.answers[time_ns] = Answer(time_ns / NS_PER_S, people, message.fixed_frame, floor)


def ask_node(
    shots: Sequence[SceneFrame], fixed_frame: str, source: Source, parameters: Sequence[str]
) -> list[Answer]:
    """Send images to the node one by one, each after the answer to the last.

    Args:
        shots: the images, whose timestamps count from the start.
        fixed_frame: the node's parameter.
        source: source of people's distance; the floor needs a fixed frame.
        parameters: further parameters, such as `backend:=plain`.

    Raises:
        RuntimeError: the node does not start, or does not answer.
    """
    given = [f"fixed_frame:={fixed_frame}"] if fixed_frame else []
    given += [f"{SWITCHES[source]}:=true"] if source in SWITCHES else []
    given += ["autostart:=false", "transform_wait:=2.0", *parameters]
    rclpy.init(args=["--ros-args", *(part for each in given for part in ("-p", each))])
    node, peer = SmplerNode(), Node("robot")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(peer)
    try:
        robot = Robot(peer, has_depth=source == "depth")
        for step in (node.trigger_configure, node.trigger_activate):
            if step() != TransitionCallbackReturn.SUCCESS:
                raise RuntimeError("the node must start, but did not; its log says why")
        _spin_until(executor, robot.has_subscribers)
        _meet(executor, robot, shots[0].frame)
        for shot in shots:
            _ask(executor, robot, shot.frame)
        return [robot.answers[shot.frame.stamp_ns] for shot in shots]
    finally:
        node.close()
        executor.shutdown()
        node.destroy_node()
        peer.destroy_node()
        rclpy.shutdown()


def _meet(executor: SingleThreadedExecutor, robot: Robot, first: Frame) -> None:
    """Send blank images until one is answered: a subscriber may meet a publisher later."""
    blank = replace(first, rgb=np.full_like(first.rgb, 127))
    end, stamp_ns = time.monotonic() + _PATIENCE_S, -_LEAD_NS
    while not robot.answers:
        if time.monotonic() > end:
            raise RuntimeError("the node must answer, but did not; its log says why")
        stamp_ns = min(stamp_ns + NS_PER_S // 10, -NS_PER_S)
        robot.send(replace(blank, stamp_ns=stamp_ns))
        executor.spin_once(timeout_sec=0.5)


def _ask(executor: SingleThreadedExecutor, robot: Robot, frame: Frame) -> None:
    """Send an image until it is answered: one that meets the last blank one can be dropped."""
    end, sent = time.monotonic() + _PATIENCE_S, -np.inf
    while frame.stamp_ns not in robot.answers:
        now = time.monotonic()
        if now > end:
            raise RuntimeError("the node must answer, but did not; its log says why")
        if now - sent > _SEND_AGAIN_S:
            robot.send(frame)
            sent = now
        executor.spin_once(timeout_sec=0.05)


def _spin_until(executor: SingleThreadedExecutor, condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("the node must answer, but did not; its log says why")
        executor.spin_once(timeout_sec=0.05)


def world_positions(answer: Answer) -> Floats:
    """Return the pelvises (n, 3) in the world, from the camera's frame by its true pose."""
    pose = RobotPath().world_from_base(answer.time_s) @ BASE_FROM_CAMERA
    return np.asarray(answer.people.joints_m[:, 0] @ pose[:3, :3].T + pose[:3, 3])
