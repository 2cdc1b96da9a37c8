"""Frames from recorded bags, intact or damaged."""
