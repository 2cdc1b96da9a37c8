"""All settings: ROS parameters, files, flags and tables are generated from these classes."""
