"""Records topics into a bag as serialised bytes, without deserialisation."""

from collections.abc import Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.messages.message_types import import_message_class

DEPTH = 50
LATCHED = ("/tf_static",)  # sent once, also to late subscribers


class Recorder(Node):
    """Subscribes to topics and writes their messages, stamped with the time of arrival.

    Attributes:
        counts: number of messages of each topic.
        is_on: whether messages are kept; those sent once always are.
    """

    def __init__(self, writer: BagWriter, topics: Mapping[str, str]) -> None:
        """Subscribe.

        Args:
            writer: writer of the bag.
            topics: full names of message types, such as `sensor_msgs/msg/Image`, by topic.
        """
        super().__init__("recorder")
        self._writer = writer
        self.is_on = False
        self.counts = dict.fromkeys(topics, 0)
        for topic, kind in topics.items():
            self._subscribe(topic, kind, latched=topic in LATCHED)

    def _subscribe(self, topic: str, kind: str, *, latched: bool) -> None:
        name = self.resolve_topic_name(topic)
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        qos = QoSProfile(
            depth=DEPTH, reliability=ReliabilityPolicy.RELIABLE, durability=durability
        )

        def store(content: Any) -> None:  # noqa: ANN401 - rclpy calls it with bytes
            if not (self.is_on or latched):
                return
            stamp_ns = self.get_clock().now().nanoseconds
            self._writer.write(name, kind, stamp_ns, bytes(content), latched=latched)
            self.counts[topic] += 1

        message_class: Any = import_message_class(kind)
        self.create_subscription(message_class, topic, store, qos, raw=True)
