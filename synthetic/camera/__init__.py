"""Rendering of people into camera images."""
