"""Lenses, calibrations, and decoding of camera images."""
