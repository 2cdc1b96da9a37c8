"""The launch files under the real `launch`, from a prefix like the one that colcon installs."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tf2_msgs.msg import TFMessage

from smpler_model.cameras.frame_tree import level_camera
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.camera import synthetic_bag
from tests.installed import install
from tests.ros.peer import Peer
from tests.ros.test_synthetic_camera import transforms_of

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "camera_stand": "smpler_ros.camera_stand",
    "smpler_node": "smpler_ros.smpler_node",
    "synthetic_camera": "smpler_ros.synthetic_camera",
    "viewer": "smpler_ros.viewer",
}
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
path, *given = sys.argv[1:]
service = LaunchService(argv=given)
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
    for name, module in PROGRAMS.items():
        install(tmp_path, "smpler_ros", name, f'exec "{sys.executable}" -m {module} "$@"')
    share = tmp_path / "share/smpler_ros"
    share.mkdir(parents=True)
    for name in ("config", "launch"):
        (share / name).symlink_to(ROOT / name)
    return tmp_path


def command_of(prefix: Path, name: str, arguments: Mapping[str, object]) -> list[str]:
    """Return the command that `ros2 launch` would run, without that package."""
    file = f"{prefix}/share/smpler_ros/launch/{name}.launch.py"
    return [sys.executable, "-c", LAUNCH, file, *(f"{k}:={v}" for k, v in arguments.items())]


def environment_of(prefix: Path) -> dict[str, str]:
    return os.environ | {
        "AMENT_PREFIX_PATH": f"{prefix}:{os.environ['AMENT_PREFIX_PATH']}",
        # The folder of launch files must not hide the package `launch`.
        "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{ROOT}",
        "ROS_LOG_DIR": str(prefix / "log"),
    }


class Launch:
    """A running launch file, and after its end its output."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.output = ""

    def wait_for(self, pattern: str) -> str:
        """Read the output until a line has a pattern; return the pattern's group."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"'{pattern}' was not printed:\n{self.output}")

    def wait(self) -> None:
        """Wait until it exits by itself."""
        self.output += self.process.communicate(timeout=120)[0]


@contextmanager
def launched(
    prefix: Path, name: str, arguments: Mapping[str, object], status: int | None = 0
) -> Iterator[Launch]:
    """Run a launch file, stop it with Ctrl-C unless it has ended, and expect success.

    Ctrl-C in a terminal signals launch and its processes alike; launch relies on that, and sends
    them a signal only 20 s later.
    """
    with subprocess.Popen(
        command_of(prefix, name, arguments),
        env=environment_of(prefix),
        cwd=prefix,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        launch = Launch(process)
        try:
            yield launch
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                launch.wait()
            sys.stdout.write(launch.output)
    assert status is None or process.returncode == status
    assert "Traceback" not in launch.output
    assert "failed to terminate" not in launch.output


def test_the_demonstration_publishes_people(
    prefix: Path, checkpoint: Path, reliable_peer: Peer
) -> None:
    truths: list[SmplPersonArray] = []
    people: list[SmplPersonArray] = []
    for name, store in (("people", people), ("ground_truth/people", truths)):
        reliable_peer.node.create_subscription(SmplPersonArray, f"/front/{name}", store.append, 10)
    arguments = {
        "rviz": "false",
        "namespace": "front",
        "model": checkpoint,
        "detector": "full_image",
        "camera_params_file": small_scene(prefix),
        "people": 1,
        "rate": 5,
    }
    with launched(prefix, "demo", arguments) as launch:
        reliable_peer.spin_until(lambda: len(people) >= 3 and len(truths) >= 3)
        transforms = transforms_of(reliable_peer, "/tf", 24)
    assert all(child.startswith("front/person_") for _, child in transforms)
    assert any(parent == "eye" for parent, _ in transforms)
    assert people[-1].model == checkpoint.stem
    assert {message.header.frame_id for message in (*people, *truths)} == {"eye"}
    assert all(len(message.people) == 1 for message in truths)
    assert launch.output.count("process has finished cleanly") == 2


def test_the_viewer_shows_the_demonstration_and_its_truth(
    prefix: Path, checkpoint: Path, reliable_peer: Peer
) -> None:
    pytest.importorskip("viser", reason="needs the group `viewer`: run `make setup`")
    from tests.smpler_model.viewing.watcher import Watcher

    arguments = {
        "rviz": "false",
        "namespace": "front",
        "model": checkpoint,
        "detector": "full_image",
        "camera_params_file": small_scene(prefix),
        "people": 1,
        "rate": 5,
        "viewer": "true",
        "viewer_port": 0,
    }
    with launched(prefix, "demo", arguments) as launch:
        address = launch.wait_for(r"people are shown at (http://localhost:\d+)")
        watcher = Watcher(address)
        seen: set[str] = set()

        def both_are_shown() -> bool:
            seen.update(name.split("/")[2].split("_")[0] for name in watcher.surfaces())
            return seen == {"person", "truth"}

        watcher.wait(both_are_shown, timeout_s=120)
        watcher.take(1.0)
        assert watcher.nodes["/camera/view"]["aspect"] == pytest.approx(160 / 120)
        watcher.close()
    assert launch.output.count("process has finished cleanly") == 3


def small_scene(prefix: Path) -> Path:
    """Return a parameter file of a synthetic camera that costs little."""
    file = prefix / "small.yaml"
    file.write_text(
        "/**: {ros__parameters: {width: 160, height: 120, loop: 1.0, empty: 0.0, frame_id: eye}}\n"
    )
    return file


def test_the_node_of_a_camera_publishes_people(
    prefix: Path, checkpoint: Path, reliable_peer: Peer
) -> None:
    arguments = {
        "image": "image",
        "camera_info": "camera_info",
        "model": checkpoint,
        "detector": "full_image",
        "tf_prefix": "left",
        "place_camera": "true",
        "camera_height": 2,
    }
    with launched(prefix, "camera", arguments) as launch:
        people = reliable_peer.exchange(7)
        static = transforms_of(reliable_peer, "/tf_static", 1)
        joints: list[TFMessage] = []
        reliable_peer.node.create_subscription(TFMessage, "/tf", joints.append, 10)
        reliable_peer.exchange(8)
        while not joints:
            reliable_peer.exchange(9)
            reliable_peer.people.clear()
    assert people.model == checkpoint.stem
    np.testing.assert_allclose(static["map", "camera_optical_frame"], level_camera(2.0, 0.0))
    assert joints[0].transforms[0].child_frame_id.startswith("left/person_")
    assert launch.output.count("process has finished cleanly") == 2


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("camera", {"tf_prefx": "rear"}, "no argument 'tf_prefx'; did you mean 'tf_prefix'?"),
        ("demo", {"peple": 2}, "demo.launch.py has no argument 'peple'; did you mean 'people'?"),
        (
            "demo",
            {"modle": "m.pt"},
            "demo.launch.py has no argument 'modle'; did you mean",
        ),
        (
            "bag",
            {"bag": "b", "start": 1},
            "bag.launch.py has no argument 'start'; did you mean",
        ),
        ("camera", {"params_file": "no.yaml"}, "params_file must be a parameter file, got 'no."),
        ("demo", {"params_file": "no.yaml"}, "params_file must be a parameter file, got 'no."),
        ("demo", {"camera_params_file": "no.yaml"}, "camera_params_file must be a parameter file"),
        ("camera", {"viewer": "maybe"}, "viewer must be true or false, got 'maybe'"),
        ("demo", {"viewer_port": "http"}, "viewer_port must be a whole number, got 'http'"),
        ("camera", {"rviz": "true"}, "rviz:=true needs the package rviz2, which is not installed"),
        ("demo", {"rviz": "true"}, "give rviz:=false; viewer:=true shows people in a browser"),
        ("camera", {"driver": "usb_cam"}, "driver:=usb_cam needs the package usb_cam, which is"),
        ("bag", {"bag": "no"}, "bag must be the path of a bag, got 'no', which does not exist"),
        ("bag", {"bag": "."}, "playing a bag needs `ros2 bag`, which is not installed"),
    ],
)
def test_what_cannot_be_started_is_refused_before_anything_is(
    prefix: Path, ros_domain: int, name: str, arguments: Mapping[str, object], reason: str
) -> None:
    done = subprocess.run(
        command_of(prefix, name, arguments),
        env=environment_of(prefix) | {"AMENT_PREFIX_PATH": str(prefix)},  # no RViz, no driver
        cwd=prefix,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert reason in done.stdout + done.stderr
    assert "process started" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_unknown_parameter_is_refused(prefix: Path, ros_domain: int) -> None:
    file = prefix / "mine.yaml"
    file.write_text("/**: {ros__parameters: {detecter: motion}}\n")
    with launched(prefix, "camera", {"params_file": file}, status=None) as launch:
        launch.wait()
    assert "there is no parameter 'detecter'; did you mean 'detector'?" in launch.output
    assert "process has died" in launch.output


@pytest.mark.skipif(
    importlib.util.find_spec("ros2bag") is None or shutil.which("ros2") is None,
    reason="needs `ros2 bag play`: a ROS installation",
)
def test_a_bag_is_played_on_simulated_time_and_ends_the_launch(
    prefix: Path, checkpoint: Path, reliable_peer: Peer
) -> None:
    bag = prefix / "walk"
    size = ("--width", "160", "--height", "120", "--rate", "5", "--duration", "3")
    assert synthetic_bag.main([str(bag), *size, "--people", "1", "--quiet"]) == 0
    arguments = {
        "bag": bag,
        "bag_delay": 15.0,  # seconds; the network must have been loaded
        "image": "/camera/image_raw",
        "image_transport": "compressed",
        "camera_info": "/camera/camera_info",
        "model": checkpoint,
        "detector": "full_image",
    }
    truths: list[SmplPersonArray] = []
    topic = "/camera/ground_truth/people"
    reliable_peer.node.create_subscription(SmplPersonArray, topic, truths.append, 10)
    with launched(prefix, "bag", arguments) as launch:
        reliable_peer.spin_until(lambda: launch.process.poll() is not None)
        launch.wait()
    recorded = {(t.header.stamp.sec, t.header.stamp.nanosec) for t in truths}
    said = {(p.header.stamp.sec, p.header.stamp.nanosec) for p in reliable_peer.people}
    assert len(said) >= 3
    assert said <= recorded
    assert launch.output.count("process has finished cleanly") == 2
