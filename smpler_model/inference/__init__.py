"""The network at work, quickly, on a CPU or a GPU."""
