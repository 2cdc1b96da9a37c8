"""Checkpoint files: official ones, this project's, and the shipped weights."""
