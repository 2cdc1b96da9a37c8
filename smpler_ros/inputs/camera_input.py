"""One camera's subscriptions: stores messages, and logs why messages are missing."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from rclpy.clock import Clock
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from smpler_model.cameras.messages import CameraInfos, Message, stamp_ns_of
from smpler_ros.inputs.adaptive_subscription import AdaptiveSubscription
from smpler_ros.inputs.arrival import Arrival
from smpler_ros.inputs.missing_data import explain_missing_partner, explain_silence
from smpler_ros.inputs.reception import SILENCE_S, Reception, Share
from smpler_ros.inputs.stamp_pairing import Found, Pairing, Partner
from smpler_ros.inputs.steady_timer import create_steady_timer
from smpler_ros.messages.message_types import import_message_class

CHECK_PERIOD_S = 0.5
PARTNER_DEPTH = 5  # late partners may still match an older image
CALIBRATION_WAIT_S = 1.0
DEPTH_WAIT_NS, DETECTIONS_WAIT_NS = 200_000_000, 1_000_000_000
DEPTH, DETECTIONS = "depth", "detections"
CONSEQUENCES = {
    DEPTH: "people are placed without it",
    DETECTIONS: "images without are dropped",
}
DETECTIONS_TYPE = "vision_msgs/msg/Detection2DArray"
IMAGE_TYPE, COMPRESSED_TYPE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


@dataclass(frozen=True)
class InputConfig:
    """Topics of a camera.

    Attributes:
        compressed: whether to subscribe to `image/compressed`.
        depth: whether to subscribe to `depth`.
        detections: whether to subscribe to `detections`.
        tolerance_s: largest difference between timestamps of paired messages, seconds.
    """

    compressed: bool = False
    depth: bool = False
    detections: bool = False
    tolerance_s: float = 0.02

    @property
    def image_type(self) -> str:
        """Name of the images' message type."""
        return COMPRESSED_TYPE if self.compressed else IMAGE_TYPE

    def partners(self) -> tuple[Partner, ...]:
        """Return the topics paired with the image."""
        wanted = (
            (self.depth, Partner(DEPTH, required=False, wait_ns=DEPTH_WAIT_NS)),
            (self.detections, Partner(DETECTIONS, required=True, wait_ns=DETECTIONS_WAIT_NS)),
        )
        return tuple(partner for is_wanted, partner in wanted if is_wanted)


class CameraInput:
    """Subscribes to `image` and `camera_info` in a namespace and passes on every image.

    Reliability follows the camera: reliable as soon as every publisher of the image offers it,
    because a best-effort subscriber loses most images that are larger than Fast DDS's shared
    memory; best effort otherwise, because a reliable subscriber gets nothing from a best-effort
    publisher. State: the subscriptions and waiting images, until `close`.
    """

    def __init__(
        self,
        node: Node,
        namespace: str,
        config: InputConfig,
        store: Callable[[Arrival], None],
        lose: Callable[[], None],
    ) -> None:
        """Create the subscriptions.

        Args:
            node: subscribing node.
            namespace: namespace of the camera, relative to the node's; empty for the node's own.
            config: topics to subscribe to.
            store: called with every image and its partners.
            lose: called for every image dropped for lack of detections.

        Raises:
            ImportError: `detections` are enabled and vision_msgs is not installed.
        """
        self._node = node
        self._config = config
        self._store = store
        self._count_lost = lose
        kinds = {DEPTH: Image} if config.depth else {}
        if config.detections:
            kinds[DETECTIONS] = detections_class()
        self._camera_infos = CameraInfos()
        self._first_arrival_s: float | None = None
        self._has_told_of_stamps = False
        self._held: Message | None = None
        self._pairing: Pairing[Message] = Pairing(
            config.partners(), round(config.tolerance_s * 1e9), self._emit, self._lose
        )
        self._calibrations = AdaptiveSubscription(
            node, join_names(namespace, "camera_info"), CameraInfo, self._store_camera_info
        )
        self._partners = {
            name: self._subscribe_partner(namespace, name, kind) for name, kind in kinds.items()
        }
        self._last_fit_s = dict.fromkeys(kinds, time.monotonic())
        image = join_names(namespace, "image")
        topics = (name_compressed(node, image), image)
        topic, other = topics if config.compressed else reversed(topics)
        self._other_topic = node.resolve_topic_name(other)
        kind = CompressedImage if config.compressed else Image
        self._reception = Reception(node.resolve_topic_name(topic))
        self._shares = {name: Share() for name in kinds}
        self._images = AdaptiveSubscription(node, topic, kind, self._store_image)
        self._timer = create_steady_timer(node, CHECK_PERIOD_S, self._check)
        node.get_logger().info(f"waiting for images on {self._images.topic}")

    def close(self) -> None:
        """Destroy the subscriptions."""
        self._node.destroy_timer(self._timer)
        for subscription in (self._images, self._calibrations, *self._partners.values()):
            subscription.close()

    def _subscribe_partner(
        self, namespace: str, name: str, kind: type[Any]
    ) -> AdaptiveSubscription:
        def store(message: Message) -> None:
            self._pairing.add_partner(name, stamp_ns_of(message), message)

        topic = join_names(namespace, name)
        return AdaptiveSubscription(self._node, topic, kind, store, depth=PARTNER_DEPTH)

    def _store_camera_info(self, message: CameraInfo) -> None:
        self._camera_infos.add(message)
        self._release()

    def _store_image(self, message: Message) -> None:
        self._reception.take(getattr(message, "width", 0), getattr(message, "height", 0))
        if self._first_arrival_s is None:
            self._first_arrival_s = time.monotonic()
            self._last_fit_s = dict.fromkeys(self._last_fit_s, self._first_arrival_s)
        if not stamp_ns_of(message):
            self._stamp_with_arrival(message)
        self._held = message
        # The calibration often arrives just after the first image: waiting prevents people from
        # jumping.
        if self._camera_infos.all() or self._has_waited():
            self._release()

    def _stamp_with_arrival(self, message: Message) -> None:
        """Stamp an image without a timestamp, which would count as a repeated image."""
        now = self._node.get_clock().now()
        clock, remedy = "the time", ""
        if now.nanoseconds == 0:  # a simulated clock that has not started yet
            now, clock = Clock().now(), "the wall clock's time"
            remedy = ", and publish /clock or leave use_sim_time false"
        message.header.stamp = now.to_msg()
        if not self._has_told_of_stamps:  # rclpy's `once` counts all cameras of a node as one
            self._node.get_logger().warning(
                f"images on {self._images.topic} have no timestamp and get {clock} of their "
                f"arrival; let the camera's driver stamp them{remedy}"
            )
        self._has_told_of_stamps = True

    def _has_waited(self) -> bool:
        """Return whether images have waited long enough for a calibration."""
        first_s = self._first_arrival_s
        return first_s is not None and time.monotonic() - first_s >= CALIBRATION_WAIT_S

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._pairing.add_image(stamp_ns_of(held), held)

    def _emit(self, image: Message, partners: Found[Message]) -> None:
        self._note_fits(partners)
        infos, wants_depth = self._camera_infos.all(), self._config.depth
        self._store(Arrival(image, infos, wants_depth=wants_depth, **partners))

    def _lose(self, _image: Message, partners: Found[Message]) -> None:
        self._note_fits(partners)
        self._count_lost()

    def _note_fits(self, partners: Found[Message]) -> None:
        now = time.monotonic()
        self._last_fit_s |= {name: now for name, found in partners.items() if found is not None}
        for name, found in partners.items():
            self._shares[name].take(fits=found is not None)

    def _check(self) -> None:
        if self._has_waited():
            self._release()
        self._pairing.release()
        self._calibrations.adapt()
        publishers = self._images.adapt()
        now = time.monotonic()
        if news := self._reception.news():
            self._node.get_logger().info(news)
        if self._reception.is_silent():
            # Partners are not reported as missing before images arrive.
            self._last_fit_s = dict.fromkeys(self._last_fit_s, now)
            other = self._other_topic
            self._node.get_logger().warning(
                explain_silence(
                    self._images.topic,
                    self._config.image_type,
                    publishers,
                    elsewhere=other if self._node.count_publishers(other) else None,
                    transport="raw" if self._config.compressed else "compressed",
                )
            )
        for name, subscription in self._partners.items():
            self._check_partner(name, subscription, now)

    def _check_partner(self, name: str, subscription: AdaptiveSubscription, now: float) -> None:
        """Log why images lack a partner."""
        publishers = subscription.adapt()
        share = self._shares[name]
        if share.changed():
            self._say_share(name, *share.counts())
        if now - self._last_fit_s[name] <= SILENCE_S:
            return
        self._last_fit_s[name] = now
        share.miss()
        gap_ns = self._pairing.gap_ns(name)
        self._node.get_logger().warning(
            explain_missing_partner(
                name,
                subscription.topic,
                IMAGE_TYPE if name == DEPTH else DETECTIONS_TYPE,
                publishers,
                consequence=CONSEQUENCES[name],
                gap_s=None if gap_ns is None else gap_ns / 1e9,
            )
        )

    def _say_share(self, name: str, having: int, images: int) -> None:
        log = self._node.get_logger()
        if not self._shares[name].is_low:
            log.info(f"{name} is back: {having} of the last {images} images have it")
        else:
            log.warning(
                f"only {having} of the last {images} images came with {name}, "
                f"{CONSEQUENCES[name]}: large messages are lost in transport if they are sent "
                "best effort; publish it reliably, or give its publisher config/fastdds.xml"
            )


def detections_class() -> type[Any]:
    """Return the class of `detections`.

    Raises:
        ImportError: vision_msgs is not installed.
    """
    try:
        return cast(type[Any], import_message_class(DETECTIONS_TYPE))
    except ImportError as error:
        raise ImportError(
            f"detector: topic needs the package vision_msgs, got: {error}; install it (apt: "
            "ros-<distribution>-vision-msgs) or set detector to person"
        ) from error


def compressed_topic(image: str) -> str:
    """Return the topic of image_transport's compressed images."""
    return f"{image}/compressed"


def name_compressed(node: Node, image: str) -> str:
    """Return the name, before remapping, of the compressed images of a topic.

    They follow a remapped image, unless their own topic is remapped.
    """
    own = compressed_topic(image)
    if node.resolve_topic_name(own) != node.resolve_topic_name(own, only_expand=True):
        return own
    return compressed_topic(node.resolve_topic_name(image))


def join_names(namespace: str, name: str) -> str:
    """Return a name in a namespace; an empty namespace is the node's own."""
    return f"{namespace.rstrip('/')}/{name}" if namespace else name
