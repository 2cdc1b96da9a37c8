"""Frames from recorded bags, whole or damaged."""
