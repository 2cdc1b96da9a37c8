"""Bags without a running ROS: written from synthetic scenes, evaluated, summarised."""
