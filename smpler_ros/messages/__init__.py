"""Messages from results and back, without ROS."""
