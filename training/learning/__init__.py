"""What a network learns by."""
