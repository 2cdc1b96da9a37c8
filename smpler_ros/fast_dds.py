"""The environment variable that gives Fast DDS a profile, with shared memory for whole images."""

from collections.abc import Mapping

VARIABLE_OF_2, VARIABLE_OF_3 = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"

_DISTRIBUTIONS_WITH_2 = ("humble", "iron", "jazzy")


def profile_variable(environment: Mapping[str, str]) -> str | None:
    """Return the variable to set in an environment; None if the user has set one.

    Fast DDS 3, which came with Kilted, reads another variable than Fast DDS 2, and warns about the
    old one at every start.
    """
    if VARIABLE_OF_2 in environment or VARIABLE_OF_3 in environment:
        return None
    is_2 = environment.get("ROS_DISTRO") in _DISTRIBUTIONS_WITH_2
    return VARIABLE_OF_2 if is_2 else VARIABLE_OF_3
