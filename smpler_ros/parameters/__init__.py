"""The parameters of the nodes."""
