"""People in 3D on a web page, live or recorded, without ROS."""
