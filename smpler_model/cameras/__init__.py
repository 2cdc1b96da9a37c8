"""Lenses, calibrations, and images as they come from cameras."""
