"""The demonstration under the real `launch`, from a prefix like the one that colcon installs."""

import importlib.util
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from smpler_msgs.msg import SmplPersonArray
from tests.ros.peer import Peer

ROOT = Path(__file__).parents[2]
PROGRAMS = ("smpler_node", "synthetic_camera")
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
path, *given = sys.argv[1:]
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(path), launch_arguments=[word.split(":=") for word in given]
)]))
sys.exit(service.run())
"""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None,
    reason="needs launch_ros: a ROS installation",
)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """The package as installed: its share folder, its programs, its entry in ament's index."""
    index = tmp_path / "share/ament_index/resource_index/packages/smpler_ros"
    index.parent.mkdir(parents=True)
    index.touch()
    share, programs = tmp_path / "share/smpler_ros", tmp_path / "lib/smpler_ros"
    for folder in (share, programs):
        folder.mkdir(parents=True)
    for name in ("config", "launch"):
        (share / name).symlink_to(ROOT / name)
    for name in PROGRAMS:
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m smpler_ros.{name} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def test_the_demonstration_sends_people(
    prefix: Path, checkpoint: Path, reliable_peer: Peer
) -> None:
    truths: list[SmplPersonArray] = []
    people: list[SmplPersonArray] = []
    for name, store in (("people", people), ("ground_truth/people", truths)):
        reliable_peer.node.create_subscription(SmplPersonArray, f"/front/{name}", store.append, 10)
    small = prefix / "small.yaml"
    small.write_text(
        "/**: {ros__parameters: {width: 160, height: 120, loop: 1.0, frame_id: eye}}\n"
    )
    arguments = {
        "rviz": "false",
        "namespace": "front",
        "model": checkpoint,
        "detector": "full_image",
        "camera_params_file": small,
        "people": 1,
        "rate": 5,
    }
    command = [sys.executable, "-c", LAUNCH, prefix / "share/smpler_ros/launch/demo.launch.py"]
    environment = os.environ | {
        "AMENT_PREFIX_PATH": f"{prefix}:{os.environ['AMENT_PREFIX_PATH']}",
        # The folder of launch files must not hide the package `launch`.
        "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{ROOT}",
        "ROS_LOG_DIR": str(prefix / "log"),
    }
    with subprocess.Popen(
        [*command, *(f"{name}:={value}" for name, value in arguments.items())],
        env=environment,
        cwd=prefix,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as launch:
        try:
            reliable_peer.spin_until(lambda: len(people) >= 3 and len(truths) >= 3)
        finally:
            launch.send_signal(signal.SIGINT)
            output, _ = launch.communicate(timeout=60)
            sys.stdout.write(output)
    assert launch.returncode == 0
    assert people[-1].model == checkpoint.stem
    assert {message.header.frame_id for message in (*people, *truths)} == {"eye"}
    assert all(len(message.people) == 1 for message in truths)
    assert output.count("process has finished cleanly") == len(PROGRAMS)
    assert "Traceback" not in output
