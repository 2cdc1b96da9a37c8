"""Run the camera stand: `ros2 run smpler_ros camera_stand`."""

import sys

from smpler_model.program import Program, run_program


def main() -> int:
    """Run the stand as a process; return the exit status."""
    return run_program(_load, serves=True)


def _load() -> Program:
    from smpler_ros.camera.camera_stand import main

    return main


if __name__ == "__main__":
    sys.exit(main())
