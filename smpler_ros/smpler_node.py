"""Run the node: `ros2 run smpler_ros smpler_node`."""

import sys

from smpler_model.program import Program, run_program


def main() -> int:
    """Run the node as a process; return the exit status."""
    return run_program(_load, serves=True)


def _load() -> Program:
    from smpler_ros.node.smpler_node import main

    return main


if __name__ == "__main__":
    sys.exit(main())
