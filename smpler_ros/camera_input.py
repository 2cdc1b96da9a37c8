"""The topics of one camera: what arrives is stored, what does not arrive is explained."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from smpler_model.messages import stamp_ns_of
from smpler_ros.fitting_subscription import FittingSubscription
from smpler_ros.frame_worker import Arrival
from smpler_ros.message_types import Message, import_message_class
from smpler_ros.pairing import Found, Pairing, Partner

CHECK_PERIOD_S = 0.5
SILENCE_S = 5.0
PARTNER_DEPTH = 5  # one that belongs to an older image may still find it
CALIBRATION_WAIT_S = 1.0
DEPTH, DETECTIONS = "depth", "detections"
DETECTIONS_TYPE = "vision_msgs/msg/Detection2DArray"


@dataclass(frozen=True)
class InputConfig:
    """Which topics a camera has.

    Attributes:
        compressed: whether images come on `image/compressed`.
        depth: whether to wait for `depth`.
        detections: whether to wait for `detections`.
        tolerance_s: how far stamps of what belongs together may be apart.
    """

    compressed: bool = False
    depth: bool = False
    detections: bool = False
    tolerance_s: float = 0.02

    def partners(self) -> tuple[Partner, ...]:
        """Return the topics that go with the image."""
        wanted = (
            (self.depth, Partner(DEPTH, False)),
            (self.detections, Partner(DETECTIONS, True)),
        )
        return tuple(partner for is_wanted, partner in wanted if is_wanted)


class CameraInput:
    """Subscribes `image` and `camera_info` in a namespace and hands on every image.

    Reliability follows the camera: reliable as soon as every publisher of the image offers that,
    because a best-effort subscriber loses most images that are larger than Fast DDS's shared
    memory; best effort otherwise, because a reliable subscriber gets nothing from a best-effort
    publisher. State lasts until `close`.
    """

    def __init__(
        self,
        node: Node,
        namespace: str,
        config: InputConfig,
        store: Callable[[Arrival], None],
    ) -> None:
        """Join the topics.

        Args:
            node: that listens.
            namespace: of the camera, relative to the node's; empty for the node's own.
            config: which topics there are.
            store: gets every image.

        Raises:
            ImportError: `detections` are wanted, and vision_msgs is not installed.
        """
        self._node = node
        self._config = config
        self._store = store
        self._camera_info: CameraInfo | None = None
        self._first_arrival_s: float | None = None
        self._held: Message | None = None
        self._last_arrival_s = time.monotonic()
        self._pairing: Pairing[Message] = Pairing(
            config.partners(), round(config.tolerance_s * 1e9), self._emit
        )
        calibration = join_names(namespace, "camera_info")
        self._others = [
            FittingSubscription(node, calibration, CameraInfo, self._store_camera_info)
        ]
        if config.depth:
            self._others.append(self._subscribe_partner(namespace, DEPTH, Image))
        if config.detections:
            kind = cast(type[Any], import_message_class(DETECTIONS_TYPE))
            self._others.append(self._subscribe_partner(namespace, DETECTIONS, kind))
        image = node.resolve_topic_name(join_names(namespace, "image"))  # remapped, then extended
        topic = compressed_topic(image) if config.compressed else image
        kind = CompressedImage if config.compressed else Image
        self._images = FittingSubscription(node, topic, kind, self._store_image)
        # On a clock of its own: the node's may be a simulated one that stands still.
        self._timer = node.create_timer(CHECK_PERIOD_S, self._check, clock=Clock())
        node.get_logger().info(f"waiting for images on {self._images.topic}")

    def close(self) -> None:
        """Leave the topics."""
        self._node.destroy_timer(self._timer)
        for subscription in (self._images, *self._others):
            subscription.close()

    def _subscribe_partner(
        self, namespace: str, name: str, kind: type[Any]
    ) -> FittingSubscription:
        def store(message: Message) -> None:
            self._pairing.add_partner(name, stamp_ns_of(message), message)

        topic = join_names(namespace, name)
        return FittingSubscription(self._node, topic, kind, store, depth=PARTNER_DEPTH)

    def _store_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message
        self._release()

    def _store_image(self, message: Message) -> None:
        self._last_arrival_s = time.monotonic()
        if self._first_arrival_s is None:
            self._first_arrival_s = self._last_arrival_s
        if not stamp_ns_of(message):
            self._stamp_with_arrival(message)
        self._held = message
        # The calibration often comes a moment after the first image: people need not jump then.
        if self._camera_info is not None or self._has_waited():
            self._release()

    def _stamp_with_arrival(self, message: Message) -> None:
        """Give a time to an image that has none: without, each seems to repeat the last one."""
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._node.get_logger().warning(
            f"images on {self._images.topic} have no stamp: the time of their arrival takes its "
            "place; let the camera's driver stamp them",
            once=True,
        )

    def _has_waited(self) -> bool:
        """Tell whether images were held back for a calibration long enough."""
        first_s = self._first_arrival_s
        return first_s is not None and time.monotonic() - first_s >= CALIBRATION_WAIT_S

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._pairing.add_image(stamp_ns_of(held), held)

    def _emit(self, image: Message, partners: Found[Message]) -> None:
        self._store(Arrival(image, self._camera_info, **partners))

    def _check(self) -> None:
        if self._has_waited():
            self._release()
        publishers = self._images.adapt()
        for subscription in self._others:
            subscription.adapt()
        if time.monotonic() - self._last_arrival_s > SILENCE_S:
            self._last_arrival_s = time.monotonic()
            expected = "CompressedImage" if self._config.compressed else "Image"
            compressed = compressed_topic(self._images.topic)
            self._node.get_logger().warning(
                explain_silence(
                    self._images.topic,
                    expected,
                    publishers,
                    elsewhere=compressed if self._node.count_publishers(compressed) else None,
                )
            )


def compressed_topic(image: str) -> str:
    """Return where image_transport publishes a topic's images compressed."""
    return f"{image}/compressed"


def explain_silence(
    topic: str,
    expected: str,
    publishers: list[TopicEndpointInfo],
    elsewhere: str | None = None,
) -> str:
    """Return a sentence on why nothing may arrive, with the publishers, their types and QoS.

    Args:
        topic: where images are expected.
        expected: their type in sensor_msgs.
        publishers: on the topic.
        elsewhere: topic of the same images, compressed, if it is published.
    """
    if not publishers and elsewhere is not None:
        return (
            f"no image on {topic} for {SILENCE_S:.0f} s and nobody publishes it, but {elsewhere} "
            "is published: set image_transport to compressed"
        )
    if not publishers:
        return (
            f"no image on {topic} for {SILENCE_S:.0f} s and nobody publishes it: start the camera "
            "or remap the topic (--ros-args -r image:=/your/topic)"
        )
    described = ", ".join(
        f"{join_names(publisher.node_namespace, publisher.node_name)} ({publisher.topic_type}, "
        f"{publisher.qos_profile.reliability.name.lower()})"
        for publisher in publishers
    )
    wanted = f"sensor_msgs/msg/{expected}"
    remedy = "check that the camera is running"
    if any(publisher.topic_type != wanted for publisher in publishers):
        remedy = f"expected {wanted}; publish that, or set image_transport"
    return (
        f"no image on {topic} for {SILENCE_S:.0f} s although it is published by {described}: "
        f"{remedy}"
    )


def join_names(namespace: str, name: str) -> str:
    """Return a name in a namespace; an empty namespace is the node's own."""
    return f"{namespace.rstrip('/')}/{name}" if namespace else name
