"""Training of the detector `person`."""
