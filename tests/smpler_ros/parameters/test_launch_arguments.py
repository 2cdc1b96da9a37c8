"""Arguments that `launch` would silently ignore are refused."""

import sys
from pathlib import Path

import pytest

from smpler_ros.parameters.launch_arguments import check_arguments, existing_file

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
