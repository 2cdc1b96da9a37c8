"""Write a bag of drawn people: `python -m smpler_ros.synthetic_bag --help`."""

import sys

from smpler_ros.camera.synthetic_bag import main

if __name__ == "__main__":
    sys.exit(main())
