"""Records topics into a bag as serialised bytes, without deserialisation."""

from collections.abc import Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.messages.message_types import import_message_class

DEPTH = 50


class Recorder(Node):
    """Subscribes to topics and writes their messages, stamped with the time of arrival.

    Attributes:
        counts: number of messages of each topic.
    """

    def __init__(self, writer: BagWriter, topics: Mapping[str, str]) -> None:
        """Subscribe.

        Args:
            writer: writer of the bag.
            topics: full names of message types, such as `sensor_msgs/msg/Image`, by topic.
        """
        super().__init__("recorder")
        self._writer = writer
        self.counts = dict.fromkeys(topics, 0)
        qos = QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.RELIABLE)
        for topic, kind in topics.items():
            self._subscribe(topic, kind, qos)

    def _subscribe(self, topic: str, kind: str, qos: QoSProfile) -> None:
        name = self.resolve_topic_name(topic)

        def store(content: Any) -> None:  # noqa: ANN401 - rclpy calls it with bytes
            self._writer.write(name, kind, self.get_clock().now().nanoseconds, bytes(content))
            self.counts[topic] += 1

        message_class: Any = import_message_class(kind)
        self.create_subscription(message_class, topic, store, qos, raw=True)
