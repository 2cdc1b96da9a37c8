"""Subscribes to transforms, and adds the camera's pose to images."""

from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from smpler_model.bags.person_frames import is_person_frame
from smpler_model.cameras.transform_buffer import TransformBuffer
from smpler_ros.inputs.arrival import Arrival
from smpler_ros.inputs.pose_wait import PoseWait
from smpler_ros.inputs.steady_timer import create_steady_timer

_DEPTH = 100
_CHECK_PERIOD_S = 0.02


class TransformInput:
    """Subscribes to `/tf` and `/tf_static`.

    State: the transforms and the waiting images, until `close`. Frames of people, above all the
    node's own, are not kept.
    """

    def __init__(
        self,
        node: Node,
        fixed_frame: str,
        wait_s: float,
        store: Callable[[str, Arrival], None],
        miss: Callable[[str, str], None],
    ) -> None:
        """Create the subscriptions; see `PoseWait` for the other arguments."""
        self._node = node
        self._buffer = TransformBuffer()
        self._wait = PoseWait(self._buffer, fixed_frame, wait_s, store, miss)
        latched = QoSProfile(depth=_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscriptions = [
            node.create_subscription(TFMessage, "/tf_static", self._add_static, latched),
            node.create_subscription(TFMessage, "/tf", self._add, QoSProfile(depth=_DEPTH)),
        ]
        self._timer = create_steady_timer(node, _CHECK_PERIOD_S, self._wait.release)

    def add(self, camera: str, arrival: Arrival) -> None:
        """Pass on an image once the camera's pose is known, or after a timeout."""
        self._wait.add(camera, arrival)

    def close(self) -> None:
        """Destroy the subscriptions."""
        self._node.destroy_timer(self._timer)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _add_static(self, message: TFMessage) -> None:
        self._buffer.add(message, is_static=True)
        self._wait.release()

    def _add(self, message: TFMessage) -> None:
        if message.transforms and is_person_frame(message.transforms[0].child_frame_id):
            return  # such messages hold nothing else
        self._buffer.add(message, is_static=False)
        self._wait.release()
