"""The node with waits of 2 s instead of 5, for tests of its messages about missing images."""

import sys

from smpler_ros.inputs import camera_input, missing_data, reception
from smpler_ros.node import statistics
from smpler_ros.smpler_node import main

IMPATIENT = "tests.ros.impatient_node"
SILENCE_S = SHARE_S = 2.0


def shorten_waits() -> None:
    """Set the waits in all modules that have read them."""
    for module in (reception, camera_input, missing_data, statistics):
        module.SILENCE_S = SILENCE_S
    reception.SHARE_S = SHARE_S


if __name__ == "__main__":
    shorten_waits()
    sys.exit(main())
