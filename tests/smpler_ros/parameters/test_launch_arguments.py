"""Arguments that `launch` would ignore, or would meet too late, are refused."""

import sys
from pathlib import Path

import pytest

from smpler_ros.parameters.launch_arguments import (
    check_arguments,
    check_program,
    check_values,
    existing_file,
    has_package,
    has_program,
    playable_bag,
)
from tests.installed import install

ROOT = Path(__file__).parents[3]
FILE = str(ROOT / "launch" / "camera.launch.py")
STARTED = ["/opt/ros/bin/ros2", "launch", "smpler_ros", "camera.launch.py"]


@pytest.mark.parametrize("started", [STARTED, ["ros2", "launch", FILE]])
@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("tf_prefx:=rear", "'tf_prefx'; did you mean 'tf_prefix'\\?"),
        ("colour:=red", "'colour'; --show-args lists all"),
    ],
)
def test_an_undeclared_argument_is_refused(
    started: list[str], word: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [*started, word])
    with pytest.raises(ValueError, match=f"camera.launch.py has no argument {hint}"):
        check_arguments(FILE, ["rviz:=true", word], ["rviz", "tf_prefix"])


def test_declared_and_launch_s_own_arguments_are_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = ["rviz:=true", "launch-prefix:=nice", "image:=/a:=b"]
    monkeypatch.setattr(sys, "argv", [*STARTED, *given])
    check_arguments(FILE, given, ["rviz", "image"])


@pytest.mark.parametrize(
    "started",
    [
        ["ros2", "launch", "our_robot", "robot.launch.py"],
        ["ros2", "launch", "our_robot", "camera.launch.py"],
        ["ros2", "launch", "our_robot/launch/camera.launch.py"],
        ["python", "-m", "our_robot"],
    ],
)
def test_arguments_of_including_files_are_accepted(
    started: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "our_robot" / "launch" / "camera.launch.py"
    other.parent.mkdir(parents=True)
    other.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [*started, "arm:=left"])
    check_arguments(FILE, ["arm:=left"], ["rviz"])


def test_a_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ValueError, match=r"params_file must be a .* file, got '.*/no\.yaml'"):
        existing_file("params_file", "~/no.yaml")
    (tmp_path / "yes.yaml").touch()
    assert existing_file("params_file", "~/yes.yaml") == str(tmp_path / "yes.yaml")


KINDS = {"rviz": bool, "viewer_port": int, "camera_height": float, "viewer_host": str}


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("rviz", "yes", "rviz must be true or false, got 'yes'"),
        ("rviz", "", "rviz must be true or false, got ''"),
        ("rviz", "1", "rviz must be true or false, got '1'"),
        ("viewer_port", "80.5", "viewer_port must be a whole number, got '80.5'"),
        ("camera_height", "1.2m", "camera_height must be a number, got '1.2m'"),
        ("camera_height", "nan", "camera_height must be a number, got 'nan'"),
    ],
)
def test_values_of_another_type_are_refused(name: str, value: str, problem: str) -> None:
    good = {"rviz": "True", "viewer_port": "0", "camera_height": "-1", "viewer_host": "robot"}
    check_values(good, KINDS)
    with pytest.raises(ValueError, match=f"^{problem}$"):
        check_values(good | {name: value}, KINDS)


def test_programs_are_found_in_the_first_prefix_that_has_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{near}::{far}")
    with pytest.raises(ValueError, match=r"^rviz:=true needs the package rviz2, which is not ins"):
        check_program("rviz:=true", "rviz2", "rviz2", "give rviz:=false")
    install(far, "rviz2", "rviz2")
    check_program("rviz:=true", "rviz2", "rviz2", "give rviz:=false")
    assert not has_program("rviz2", "rviz")
    install(near, "rviz2")
    assert has_package("rviz2")
    lack = (
        r"needs the program rviz2 of the package rviz2, .* \(ros-\$ROS_DISTRO-rviz2\), or give it$"
    )
    with pytest.raises(ValueError, match=lack):
        check_program("rviz:=true", "rviz2", "rviz2", "give it")


def test_a_bag_is_playable_if_it_and_ros2_bag_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "lib" / "ros2cli"))
    with pytest.raises(ValueError, match=r"^bag must be .* got '.*/walk', which does not exist$"):
        playable_bag("~/walk")
    bag = tmp_path / "walk"
    bag.mkdir()
    for package, program in (("ros2bag", ""), ("ros2cli", "ros2")):
        with pytest.raises(ValueError, match=rf"read .* without playing it: evaluate_bag {bag}"):
            playable_bag("~/walk")
        install(tmp_path, package, program)
    assert playable_bag("~/walk") == str(bag)
