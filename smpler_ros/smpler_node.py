"""Run the node: `ros2 run smpler_ros smpler_node`."""

import sys

from smpler_ros.node.smpler_node import main

if __name__ == "__main__":
    sys.exit(main())
