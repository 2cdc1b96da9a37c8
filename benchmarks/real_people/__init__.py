"""How well real people are found, in labelled photos and in calibrated video."""
