"""Several calibrated cameras that see the same people: matching across views and fusion."""
