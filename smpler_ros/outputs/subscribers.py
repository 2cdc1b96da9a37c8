"""Whether a topic has subscribers, so that no message is built for nobody."""

from typing import Any

from rclpy.publisher import Publisher


def has_subscribers(publisher: Publisher[Any], own_subscriptions: int = 0) -> bool:
    """Return whether others subscribe to a publisher's topic.

    Args:
        publisher: publisher of the topic.
        own_subscriptions: number of the node's own subscriptions to it, which do not count.
    """
    return publisher.get_subscription_count() > own_subscriptions
