"""Give Fast DDS shared memory for whole images in everything that is started afterwards."""

import os

from launch.actions import SetEnvironmentVariable
from launch.substitutions import PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription
from smpler_ros.fast_dds import profile_variable


def generate_launch_description() -> LaunchDescription:
    """Return the variable that names the profile, unless the user has set one."""
    variable = profile_variable(os.environ)
    if variable is None:
        return LaunchDescription()
    profile = PathJoinSubstitution([FindPackageShare("smpler_ros"), "config", "fastdds.xml"])
    return LaunchDescription([SetEnvironmentVariable(variable, profile)])
