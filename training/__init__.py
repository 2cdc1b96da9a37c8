"""Training and evaluation; knows `smpler_model`, never ROS."""
