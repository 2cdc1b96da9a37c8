"""Synthetic people, rooms and cameras, generated without external data."""
