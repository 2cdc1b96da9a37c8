"""Exit status and messages of a node's process, and what it leaves."""

import subprocess
import sys
from pathlib import Path

import pytest

MAPPED = Path("/proc/self/maps")
NODE = """
from pathlib import Path
from rclpy.clock import Clock
from smpler_model.program import run_program
from smpler_ros.node.node_process import ManagedNode, run_node

class Failing(ManagedNode):
    def __init__(self):
        super().__init__("failing")
        self.declare_parameter("autostart", True)
        self.create_timer(0.01, self.fail, clock=Clock())

    def fail(self):
        print(Path("/proc/self/maps").read_text() if {shows_memory} else "")
        raise KeyError("what the callback needs")

run_program(lambda: lambda: run_node(Failing, []), serves=True)
"""


def run(*, shows_memory: bool) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", NODE.format(shows_memory=shows_memory)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_failing_callback_ends_the_process_with_a_status(ros_domain: int) -> None:
    done = run(shows_memory=False)
    assert done.returncode == 1
    assert "a callback failed: KeyError: 'what the callback needs'" in done.stderr
    assert "in fail" in done.stderr  # the traceback of a bug names its place


def test_no_shared_memory_outlives_the_process(ros_domain: int) -> None:
    if not MAPPED.exists():
        pytest.skip("the mapped files of a process are read as on Linux")
    lines = run(shows_memory=True).stdout.splitlines()
    mapped = {Path(line.split()[-1]) for line in lines if "/dev/shm/fastdds_" in line}
    # Ports are small, and belong to whoever uses their number, in any process.
    segments = [path for path in mapped if not path.name.startswith("fastdds_port")]
    assert segments
    assert not [path for path in segments if path.exists()]
