"""Run the synthetic camera: `ros2 run smpler_ros synthetic_camera`."""

import sys

from smpler_model.program import Program, run_program


def main() -> int:
    """Run the camera as a process; return the exit status."""
    return run_program(_load, serves=True)


def _load() -> Program:
    from smpler_ros.camera.synthetic_camera import main

    return main


if __name__ == "__main__":
    sys.exit(main())
