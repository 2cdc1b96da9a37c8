"""Run the demonstration: `python -m smpler_ros.demo`."""

import sys

from smpler_ros.demo.demo import main

if __name__ == "__main__":
    sys.exit(main())
