"""The topics of one camera: what arrives is stored, what does not arrive is explained."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CameraInfo, Image

CHECK_PERIOD_S = 0.5
SILENCE_S = 5.0


@dataclass(frozen=True)
class CameraImage:
    """An image as it came, and the newest calibration of its camera, if any came."""

    image: Image
    camera_info: CameraInfo | None


class CameraInput:
    """Subscribes `image` and `camera_info` in a namespace and hands on every image.

    Reliability follows the camera: reliable as soon as every publisher of the image offers that,
    because a best-effort subscriber loses most images that are larger than Fast DDS's shared
    memory; best effort otherwise, because a reliable subscriber gets nothing from a best-effort
    publisher. State lasts until `close`.
    """

    def __init__(self, node: Node, namespace: str, store: Callable[[CameraImage], None]) -> None:
        self._node = node
        self._store = store
        self._image_topic = node.resolve_topic_name(_join(namespace, "image"))
        self._info_topic = node.resolve_topic_name(_join(namespace, "camera_info"))
        self._camera_info: CameraInfo | None = None
        self._last_arrival_s = time.monotonic()
        self._reliability = ReliabilityPolicy.BEST_EFFORT
        self._info_subscription = node.create_subscription(
            CameraInfo,
            self._info_topic,
            self._store_camera_info,
            _newest_only(ReliabilityPolicy.BEST_EFFORT),
        )
        self._image_subscription = self._subscribe_image()
        # On a clock of its own: the node's may be a simulated one that stands still.
        self._timer = node.create_timer(CHECK_PERIOD_S, self._check, clock=Clock())
        node.get_logger().info(f"waiting for images on {self._image_topic}")

    def close(self) -> None:
        """Leave the topics."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._image_subscription)
        self._node.destroy_subscription(self._info_subscription)

    def _subscribe_image(self) -> Subscription[Image]:
        return self._node.create_subscription(
            Image, self._image_topic, self._store_image, _newest_only(self._reliability)
        )

    def _store_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def _store_image(self, message: Image) -> None:
        self._last_arrival_s = time.monotonic()
        self._store(CameraImage(message, self._camera_info))

    def _check(self) -> None:
        publishers = self._node.get_publishers_info_by_topic(self._image_topic)
        reliability = reliability_for(publishers)
        if reliability != self._reliability:
            self._reliability = reliability
            self._node.destroy_subscription(self._image_subscription)
            self._image_subscription = self._subscribe_image()
        if time.monotonic() - self._last_arrival_s > SILENCE_S:
            self._last_arrival_s = time.monotonic()
            self._node.get_logger().warning(explain_silence(self._image_topic, publishers))


def reliability_for(publishers: list[TopicEndpointInfo]) -> ReliabilityPolicy:
    """Return the strictest reliability that every publisher of a topic can satisfy."""
    if publishers and all(
        publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE for publisher in publishers
    ):
        return ReliabilityPolicy.RELIABLE
    return ReliabilityPolicy.BEST_EFFORT


def explain_silence(topic: str, publishers: list[TopicEndpointInfo]) -> str:
    """Return a sentence on why nothing may arrive, with the publishers, their types and QoS."""
    if not publishers:
        return (
            f"no image on {topic} for {SILENCE_S:.0f} s and nobody publishes it: start the camera "
            "or remap the topic (--ros-args -r image:=/your/topic)"
        )
    described = ", ".join(
        f"{_join(publisher.node_namespace, publisher.node_name)} ({publisher.topic_type}, "
        f"{publisher.qos_profile.reliability.name.lower()})"
        for publisher in publishers
    )
    return (
        f"no image on {topic} for {SILENCE_S:.0f} s although it is published by {described}: "
        "expected sensor_msgs/msg/Image; check the type and that the camera is running"
    )


def _join(namespace: str, name: str) -> str:
    return f"{namespace.rstrip('/')}/{name}" if namespace else name


def _newest_only(reliability: ReliabilityPolicy) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=reliability)
