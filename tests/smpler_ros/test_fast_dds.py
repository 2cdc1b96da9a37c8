"""The environment variable for Fast DDS's profile."""

import pytest

from smpler_ros.fast_dds import VARIABLE_OF_2, VARIABLE_OF_3, profile_variable


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({"ROS_DISTRO": "humble"}, "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ({"ROS_DISTRO": "iron"}, "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ({"ROS_DISTRO": "jazzy"}, "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ({"ROS_DISTRO": "kilted"}, "FASTDDS_DEFAULT_PROFILES_FILE"),
        ({}, "FASTDDS_DEFAULT_PROFILES_FILE"),  # wheels name no distribution, and are newer
        ({VARIABLE_OF_2: "/mine.xml", "ROS_DISTRO": "kilted"}, None),
        ({VARIABLE_OF_3: "/mine.xml", "ROS_DISTRO": "humble"}, None),
    ],
)
def test_only_the_variable_in_use_is_set(
    environment: dict[str, str], variable: str | None
) -> None:
    assert profile_variable(environment) == variable
