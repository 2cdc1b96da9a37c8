"""People in the world before a robot that turns and drives, over real topics."""
