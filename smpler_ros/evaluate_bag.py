"""Evaluate bags: `python -m smpler_ros.evaluate_bag --help`."""

import sys

from smpler_ros.bags.evaluate_bag import main

if __name__ == "__main__":
    sys.exit(main())
