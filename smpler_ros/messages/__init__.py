"""Conversion of results to messages and back, without ROS."""
