"""Synthetic people, rooms and cameras, made without external data."""
