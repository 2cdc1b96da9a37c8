"""Losses, optimisers and distributed training."""
