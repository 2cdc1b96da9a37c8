"""The node's subscriptions."""
