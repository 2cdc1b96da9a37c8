"""People in a web page, live and recorded, without ROS."""
