"""Accuracy on real people, in labelled photos and calibrated videos."""
