"""Finding people in images: a protocol and small implementations."""
