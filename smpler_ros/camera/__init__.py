"""The synthetic camera, and bags of it."""
