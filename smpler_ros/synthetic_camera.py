"""Run the synthetic camera: `ros2 run smpler_ros synthetic_camera`."""

import sys

from smpler_ros.camera.synthetic_camera import main

if __name__ == "__main__":
    sys.exit(main())
