"""Bags in, bags and errors out, without a running ROS."""
