"""Publishes a camera's pose above a floor, unless another node does, so that viewers have one."""

import numpy as np
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from tf2_msgs.msg import TFMessage

from smpler_model.array_types import Floats
from smpler_model.bags.person_frames import without_people
from smpler_model.cameras.frame_tree import FrameTree, level_camera
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.inputs.steady_timer import create_steady_timer
from smpler_ros.messages.convert import header_message, transform_message
from smpler_ros.messages.message_types import message_types_from_ros
from smpler_ros.node.node_process import ManagedNode, run_node
from smpler_ros.parameters.ros_parameters import RosParameters
from smpler_ros.parameters.stand_settings import StandSettings

_TF_DEPTH = 100
_LATCHED = QoSProfile(depth=_TF_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class CameraStand(ManagedNode):
    """Connects the frame of the images in `people` to a world frame by one static transform.

    After the first image it waits a while for other publishers of the camera's pose, and then
    connects the topmost frame above the camera's. The transform is static, as viewers need it with
    the image and not later; it can therefore not be withdrawn, and publishers that appear later
    are only reported.
    """

    def __init__(self, node_name: str = "camera_stand") -> None:
        super().__init__(node_name)
        self._parameters_of_ros = RosParameters(
            self, StandSettings, lambda: self._static is not None, lambda _: None
        )
        self._tree = FrameTree()
        self._frame = self._tied = ""
        self._was_said = False
        self._static: Publisher[TFMessage] | None = None
        self._people: Subscription[SmplPersonArray] | None = None
        self._transforms: list[Subscription[TFMessage]] = []
        self._timer: Timer | None = None

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to `people`, whose frame may lack a pose, and to transforms."""
        self._static = create_static_publisher(self)
        self._people = self.create_subscription(
            SmplPersonArray, "people", lambda message: self._begin(message.header.frame_id), 1
        )
        self._transforms = [
            self.create_subscription(TFMessage, "/tf_static", self._add, _LATCHED),
            self.create_subscription(TFMessage, "/tf", self._add, QoSProfile(depth=_TF_DEPTH)),
        ]
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget everything; new subscribers no longer get the transform."""
        self._forget()
        return super().on_deactivate(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget everything; new subscribers no longer get the transform."""
        self._forget()
        return super().on_shutdown(state)

    @property
    def _settings(self) -> StandSettings:
        return self._parameters_of_ros.settings

    @property
    def _world(self) -> str:
        return self._settings.world_frame.removeprefix("/")

    def _begin(self, frame: str) -> None:
        """Take the camera's frame from the first message that names one."""
        if not frame or self._people is None:
            return
        self._frame = frame
        self.destroy_subscription(self._people)
        self._people = None
        self._timer = create_steady_timer(self, self._settings.wait, self._decide)

    def _add(self, message: TFMessage) -> None:
        self._tree.add(without_people(message))
        if not self._tied:
            return
        parent = self._tree.parent_of(self._tied)
        if parent != self._world and not self._was_said:
            self._was_said = True
            self.get_logger().warning(
                f"'{self._tied}' is now published below '{parent}' as well, but a frame has only "
                "one parent; stop camera_stand (place_camera:=false with the launch files)"
            )

    def _decide(self) -> None:
        world, log = self._world, self.get_logger()
        path = self._tree.path_to_root(self._frame)
        if world in path:
            log.info(f"transforms already lead from '{world}' to '{self._frame}'")
            self._unsubscribe()
        elif world not in self._tree:
            self._tie(path[-1])
            moving = self._transforms.pop()  # this includes all joints; static frames suffice
            self.destroy_subscription(moving)
            self._stop_timer()
        elif not self._was_said:
            self._was_said = True
            log.warning(
                f"there is a frame '{world}', but no transform leads from it to '{self._frame}'; "
                "publish the pose of the camera on the robot"
            )

    def _tie(self, root: str) -> None:
        if self._static is None:
            return
        settings = self._settings
        pose = level_camera(settings.height, settings.pitch)
        world_from_root = pose @ np.linalg.inv(self._tree.root_from(self._frame))
        publish_static(self, self._static, self._world, root, world_from_root)
        self._tied = root
        self.get_logger().info(
            f"nothing publishes the pose of '{self._frame}': assuming {settings.height:g} m above "
            f"the floor of '{self._world}', looking {settings.pitch:g} degrees down; set "
            "camera_height:= and camera_pitch:= of the launch files to change this"
        )

    def _forget(self) -> None:
        self._unsubscribe()
        if self._static is not None:
            self.destroy_publisher(self._static)
        self._static, self._tree = None, FrameTree()
        self._frame, self._tied, self._was_said = "", "", False

    def _unsubscribe(self) -> None:
        self._stop_timer()
        others = [] if self._people is None else [self._people]
        for subscription in (*others, *self._transforms):
            self.destroy_subscription(subscription)
        self._people, self._transforms = None, []

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None


def create_static_publisher(node: Node) -> "Publisher[TFMessage]":
    """Return a publisher of `/tf_static`; late subscribers get its last message."""
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    return node.create_publisher(TFMessage, "/tf_static", latched)


def publish_static(
    node: Node,
    publisher: "Publisher[TFMessage]",
    parent: str,
    child: str,
    parent_from_child: Floats,
) -> None:
    """Publish one static transform, (4, 4) in metres."""
    types = message_types_from_ros(serialize_message)
    header = header_message(types, node.get_clock().now().nanoseconds, parent)
    transform = transform_message(types, header, child, parent_from_child)
    publisher.publish(types.tf_message(transforms=[transform]))


def main() -> int:
    """Run the node as a process."""
    return run_node(CameraStand)
