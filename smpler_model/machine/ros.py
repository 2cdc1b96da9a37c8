"""ROS 2: the sourced installation, the messages, the middleware. Imports nothing of it."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from smpler_model.machine.finding import Finding

_PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
_NEEDED = (
    *("diagnostic_msgs", "geometry_msgs", "lifecycle_msgs", "sensor_msgs", "tf2_msgs"),
    "visualization_msgs",
)
_USUAL_MIDDLEWARE = "rmw_fastrtps_cpp"


def check_ros(environment: Mapping[str, str]) -> list[Finding]:
    """Return the findings on ROS 2.

    Args:
        environment: environment variables.
    """
    if find_spec("rclpy") is None:
        return [
            Finding(
                "ROS 2",
                "is not sourced in this shell",
                hint="the node needs `. .ros/environment.sh` after `make setup`, or an "
                "installation's setup.bash; `run`, `info` and `export` need neither",
            )
        ]
    distribution = environment.get("ROS_DISTRO", "from wheels")
    domain = environment.get("ROS_DOMAIN_ID", "0")
    return [
        Finding("ROS 2", f"{distribution}, domain {domain}"),
        _check_messages(),
        _check_middleware(environment),
    ]


def _check_messages() -> Finding:
    missing = [name for name in _NEEDED if not _is_there(name)]
    own = _is_there("smpler_msgs")
    problem = ""
    if missing:
        packages = " ".join(f"ros-$ROS_DISTRO-{name.replace('_', '-')}" for name in missing)
        problem = f"install {packages} with apt, or run `make setup`"
    elif not own:
        problem = (
            "build smpler_msgs with `make setup` or colcon, then source .ros/environment.sh or "
            "install/setup.bash"
        )
    absent = [*missing, *(() if own else ("smpler_msgs",))]
    return Finding(
        "messages", f"{', '.join(absent)} not found" if absent else "all found", problem
    )


def _check_middleware(environment: Mapping[str, str]) -> Finding:
    name = environment.get("RMW_IMPLEMENTATION") or _USUAL_MIDDLEWARE
    folders = [Path(each) for each in environment.get("AMENT_PREFIX_PATH", "").split(":") if each]
    problem = hint = ""
    # Wheels keep their libraries elsewhere, and know their own middleware.
    there = [folder for folder in folders if (folder / f"lib/lib{name}.so").exists()]
    if not there and find_spec(name) is None and "ROS_DISTRO" in environment:
        problem = (
            f"install ros-$ROS_DISTRO-{name.replace('_', '-')} with apt, or unset "
            "RMW_IMPLEMENTATION"
        )
    profiles = [environment[variable] for variable in _PROFILES if environment.get(variable)]
    lost = [path for path in profiles if not Path(path).is_file()]
    if lost and not problem:
        problem = (
            f"the profile {lost[0]} is not there, and Fast DDS ignores it; set the variable to "
            "config/fastdds.xml, or unset it"
        )
    if "fastrtps" in name and not profiles:
        hint = (
            "Fast DDS' shared memory of 512 kB holds no colour image of 640x480; the launch files "
            "set a larger one for what they start, other drivers need config/fastdds.xml"
        )
    return Finding("middleware", ", ".join((name, *profiles)), problem, hint)


def _is_there(package: str) -> bool:
    """Return whether a package can be imported; a folder of sources in a clone does not count."""
    found = find_spec(package)
    return found is not None and found.origin is not None
