"""Evaluation of recorded bags, without a running ROS: bags in, bags and errors out."""
