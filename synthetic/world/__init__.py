"""What stands around drawn people, and the light on them."""
