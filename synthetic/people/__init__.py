"""What drawn people wear and do."""
