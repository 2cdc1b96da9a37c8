"""Tracking, placement in metres, smoothing, and error metrics of people."""
