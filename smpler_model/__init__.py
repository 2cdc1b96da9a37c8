"""SMPLer: SMPL bodies from single images, independent of ROS."""
