"""Weights in files: official ones, ours, and the shipped one."""
