"""Surroundings of synthetic people, and the light on them."""
