"""Write a bag of rendered people: `python -m smpler_ros.synthetic_bag --help`."""

import sys

from smpler_model.program import Program, run_program


def main() -> int:
    """Run it as a process; return the exit status."""
    return run_program(_load)


def _load() -> Program:
    from smpler_ros.camera.synthetic_bag import main

    return main


if __name__ == "__main__":
    sys.exit(main())
