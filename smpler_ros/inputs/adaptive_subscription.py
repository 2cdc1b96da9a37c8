"""Subscriptions that are reliable if their publishers allow it.

A best-effort subscriber matches every publisher, but loses messages: a camera's images fill the
publisher's shared memory, where unread messages are overwritten, even small ones.
"""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

from smpler_model.cameras.messages import Message


class AdaptiveSubscription:
    """Subscribes best effort, and reliably as soon as all publishers of the topic offer it.

    State: the current subscription; it exists until `close`.

    Attributes:
        topic: full name of the topic, after remapping.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        kind: type[Any],
        store: Callable[[Message], None],
        *,
        depth: int = 1,
    ) -> None:
        """Subscribe.

        Args:
            node: subscribing node.
            topic: name before remapping, relative to the node's or full.
            kind: class of the messages.
            store: called with every message.
            depth: queue size; the newest messages are kept.
        """
        self.topic: str = node.resolve_topic_name(topic)
        self._name = topic  # rclpy remaps the names that it is given
        self._node, self._kind, self._store, self._depth = node, kind, store, depth
        self._reliability = ReliabilityPolicy.BEST_EFFORT
        self._subscription = self._subscribe()

    def adapt(self) -> list[TopicEndpointInfo]:
        """Check the publishers and resubscribe with better QoS if possible; return them."""
        publishers = self._node.get_publishers_info_by_topic(self._name)
        reliability = reliability_for(publishers)
        if reliability != self._reliability:
            self._reliability = reliability
            self.close()
            self._subscription = self._subscribe()
        return publishers

    def close(self) -> None:
        """Destroy the subscription."""
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self) -> Any:  # noqa: ANN401 (rclpy's subscriptions are generic in the message)
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=self._depth, reliability=self._reliability
        )
        return self._node.create_subscription(self._kind, self._name, self._store, qos)


def reliability_for(publishers: list[TopicEndpointInfo]) -> ReliabilityPolicy:
    """Return the strictest reliability that every publisher of a topic can satisfy."""
    if publishers and all(
        publisher.qos_profile.reliability == ReliabilityPolicy.RELIABLE for publisher in publishers
    ):
        return ReliabilityPolicy.RELIABLE
    return ReliabilityPolicy.BEST_EFFORT
