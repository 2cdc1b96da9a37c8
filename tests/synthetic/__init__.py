"""Tests of what the project makes itself."""
