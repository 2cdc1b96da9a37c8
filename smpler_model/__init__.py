"""SMPLer: SMPL bodies from single images. Knows nothing of ROS."""
