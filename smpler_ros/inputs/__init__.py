"""The topics that the node subscribes."""
