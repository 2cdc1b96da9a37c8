"""Give Fast DDS shared memory that holds whole images, for all that is started afterwards."""

import os

from launch.actions import SetEnvironmentVariable
from launch.substitutions import PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

# Fast DDS 3, which came with Kilted, reads another variable than Fast DDS 2.
VARIABLE_OF_2, VARIABLE_OF_3 = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
DISTRIBUTIONS_WITH_2 = ("humble", "iron", "jazzy")


def generate_launch_description() -> LaunchDescription:
    """Return the variable that names the profile, unless the user has a profile."""
    if VARIABLE_OF_2 in os.environ or VARIABLE_OF_3 in os.environ:
        return LaunchDescription()
    is_2 = os.environ.get("ROS_DISTRO") in DISTRIBUTIONS_WITH_2
    profile = PathJoinSubstitution([FindPackageShare("smpler_ros"), "config", "fastdds.xml"])
    return LaunchDescription(
        [SetEnvironmentVariable(VARIABLE_OF_2 if is_2 else VARIABLE_OF_3, profile)]
    )
