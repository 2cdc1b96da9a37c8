import subprocess
import sys
from pathlib import Path

import pytest

from smpler_model.machine.finding import Finding
from smpler_model.machine.ros import check_ros

pytest.importorskip("rclpy")


def middleware(environment: dict[str, str]) -> Finding:
    return check_ros(environment)[-1]


def test_ros_is_found_here() -> None:
    ros, messages, _ = check_ros({"ROS_DOMAIN_ID": "7"})
    assert ros == Finding("ROS 2", "from wheels, domain 7")
    assert messages.problem == ""


def test_without_ros_nothing_is_wrong() -> None:
    code = (
        "import sys; sys.modules['rclpy'] = None\n"
        "from smpler_model.machine import ros\n"
        "ros.find_spec = lambda name: None\n"
        "print(ros.check_ros({}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "is not sourced in this shell" in done.stdout
    assert "problem=''" in done.stdout


def test_messages_that_are_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a shell in which only the installation is sourced.
    monkeypatch.setattr(sys, "path", [each for each in sys.path if "/.ros/" not in each])
    for name in ("tf2_msgs", "smpler_msgs"):  # which another test may have imported
        monkeypatch.delitem(sys.modules, name, raising=False)
    messages = check_ros({})[1]
    assert messages.state == "tf2_msgs, smpler_msgs not found"
    assert "install ros-$ROS_DISTRO-tf2-msgs with apt, or run `make setup`" in messages.problem


def test_a_middleware_that_is_not_installed(tmp_path: Path) -> None:
    environment = {
        "ROS_DISTRO": "jazzy",
        "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp",
        "AMENT_PREFIX_PATH": f"/nowhere:{tmp_path}",
    }
    assert "ros-$ROS_DISTRO-rmw-cyclonedds-cpp" in middleware(environment).problem
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/librmw_cyclonedds_cpp.so").touch()
    assert middleware(environment) == Finding("middleware", "rmw_cyclonedds_cpp")


@pytest.mark.parametrize(
    "variable", ["FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"]
)
def test_a_profile_that_is_not_there(variable: str, tmp_path: Path) -> None:
    path = tmp_path / "fastdds.xml"
    assert f"the profile {path} is not there" in middleware({variable: str(path)}).problem
    path.touch()
    assert middleware({variable: str(path)}) == Finding("middleware", f"rmw_fastrtps_cpp, {path}")
    assert "config/fastdds.xml" in middleware({}).hint
