"""What this machine has: Python packages, a GPU, ROS 2, shared memory. Needs none of them."""
