"""The counterpart of a node, which communicates with it over real ROS."""

import time
from array import array
from collections.abc import Callable

import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from smpler_msgs.msg import SmplPersonArray
from tests.forked import STARTUP_S


class Peer:
    """The node's counterpart: publishes images, collects people."""

    def __init__(self, domain: int, reliability: ReliabilityPolicy) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("peer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        qos = QoSProfile(depth=1, reliability=reliability)
        self.images = self.node.create_publisher(Image, "image", qos)
        self.camera_infos = self.node.create_publisher(CameraInfo, "camera_info", qos)
        self.people: list[SmplPersonArray] = []
        self.sent: list[Time] = []
        self.node.create_subscription(SmplPersonArray, "people", self.people.append, 10)

    def publish_image(self, seconds: int, height: int = 48, width: int = 64) -> None:
        """Publish a grey image and its camera_info, with different timestamps in this second."""
        image = Image(height=height, width=width, encoding="rgb8", step=width * 3)
        image.data = array("B", bytes([127])) * (height * width * 3)
        image.header.frame_id = "camera_optical_frame"
        self.sent.append(Time(sec=seconds, nanosec=5 + len(self.sent)))
        image.header.stamp = self.sent[-1]
        self.camera_infos.publish(CameraInfo(header=image.header, height=height, width=width))
        self.images.publish(image)

    def spin_until(self, condition: Callable[[], bool], timeout_s: float = STARTUP_S) -> None:
        """Spin until the condition holds; fail if it does not in time."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, "the condition did not come true in time"
            self.executor.spin_once(timeout_sec=0.02)

    def wait_for_node(self) -> None:
        """Wait until the node subscribes to the image and publishes people."""
        self.spin_until(
            lambda: (
                self.images.get_subscription_count() > 0
                and self.node.count_publishers("people") > 0
            )
        )

    def wait_for_reliable_node(self, topic: str = "/image") -> None:
        """Wait until the node subscribes reliably to a topic, by default the image's."""

        def is_reliable() -> bool:
            subscriptions = self.node.get_subscriptions_info_by_topic(topic)
            return [s.qos_profile.reliability for s in subscriptions] == [
                ReliabilityPolicy.RELIABLE
            ]

        self.spin_until(is_reliable)

    def wait_for_no_node(self) -> None:
        """Wait until nobody subscribes to the image any more."""
        self.spin_until(lambda: self.images.get_subscription_count() == 0, timeout_s=40)

    def exchange(self, seconds: int) -> SmplPersonArray:
        """Publish images of a second until their people arrive."""
        end = time.monotonic() + STARTUP_S
        while not (mine := [p for p in self.people if p.header.stamp.sec == seconds]):
            assert time.monotonic() < end, "no people came back"
            self.publish_image(seconds)
            self.executor.spin_once(timeout_sec=0.1)
        return mine[0]

    def close(self) -> None:
        """Destroy the node and its context."""
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)
