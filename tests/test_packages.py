"""Both packages as colcon finds and builds them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: run `make test`")

ROOT = Path(__file__).parents[1]
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


def test_colcon_builds_both_packages_and_the_result_works(tmp_path: Path) -> None:
    install = tmp_path / "install"
    folders = ["--build-base", str(tmp_path / "build"), "--install-base", str(install)]
    cmake = ["--cmake-args", f"-DPython3_EXECUTABLE={sys.executable}", "-DBUILD_TESTING=OFF"]
    subprocess.run([*COLCON, "build", *PACKAGES, *folders, *cmake], cwd=ROOT, check=True)
    script = (
        f". {install}/local_setup.sh && cd {tmp_path} && "
        'python -c "import smpler_msgs, smpler_ros, smpler_model.config; '
        "from smpler_msgs.msg import SmplPersonArray; "
        'print(smpler_msgs.__file__, smpler_ros.__file__)" && '
        f"timeout --preserve-status -s INT 5 {install}/smpler_ros/lib/smpler_ros/smpler_node"
    )
    environment = {**os.environ, "COLCON_CURRENT_PREFIX": str(install)}
    result = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(str(install)) == 2
    assert "waiting for images on /image" in result.stderr + result.stdout
