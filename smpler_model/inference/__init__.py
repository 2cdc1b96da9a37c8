"""Fast inference on a CPU or a GPU."""
