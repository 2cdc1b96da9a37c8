"""What a user can set: ROS parameters, files, flags and tables come from these classes."""
