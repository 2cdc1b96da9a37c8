"""People in the fixed frame, seen by a robot that turns and drives, over real topics."""
