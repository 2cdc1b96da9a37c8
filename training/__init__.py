"""Training and evaluation; imports `smpler_model`, never ROS."""
