"""SMPLer as a ROS 2 node, and its offline tools. Only the nodes need a ROS installation."""
