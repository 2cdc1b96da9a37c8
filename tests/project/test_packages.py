"""Both packages as found by colcon, and the node's as built; the set-up has built the messages."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("rclpy", reason="needs ROS 2: run `make test`")

ROOT = Path(__file__).parents[2]
PACKAGES = ["--base-paths", ".", "smpler_msgs"]
COLCON = [sys.executable, "-m", "colcon", "--log-base", os.devnull]


def test_colcon_lists_both_packages() -> None:
    listed = subprocess.run(
        [*COLCON, "list", "--names-only", *PACKAGES],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert sorted(listed.stdout.split()) == ["smpler_msgs", "smpler_ros"]


def test_colcon_builds_the_package_and_the_result_works(tmp_path: Path) -> None:
    install = tmp_path / "install"
    folders = ["--build-base", str(tmp_path / "build"), "--install-base", str(install)]
    build = [*COLCON, "build", *PACKAGES, "--packages-select", "smpler_ros", *folders]
    subprocess.run(build, cwd=ROOT, check=True)
    script = (
        f". {install}/local_setup.sh && cd {tmp_path} && python -c "
        '"import smpler_ros, smpler_model.network.config; print(smpler_ros.__file__)" && '
        f"exec {install}/smpler_ros/lib/smpler_ros/smpler_node --ros-args -p detector:=motion"
    )
    environment = {**os.environ, "COLCON_CURRENT_PREFIX": str(install), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        ["bash", "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as node:
        assert node.stdout is not None
        lines = []
        for line in node.stdout:
            lines.append(line)
            if "waiting for images on /image" in line:
                node.send_signal(signal.SIGINT)
        status = node.wait()
    output = "".join(lines)
    assert (status, "waiting for images on /image" in output) == (0, True), output
    assert output.count(str(install)) == 1
