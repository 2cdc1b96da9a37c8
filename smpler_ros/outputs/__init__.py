"""The topics that the node publishes."""
