"""Show people in a browser: `ros2 run smpler_ros viewer`."""

import sys

from smpler_model.program import Program, run_program


def main() -> int:
    """Run the viewer as a process; return the exit status."""
    return run_program(_load, serves=True)


def _load() -> Program:
    from smpler_ros.viewer.viewer_node import main

    return main


if __name__ == "__main__":
    sys.exit(main())
