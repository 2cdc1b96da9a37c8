"""The generator of the built-in body."""
