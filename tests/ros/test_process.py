"""Exit status and messages of a node's process."""

import subprocess
import sys
from pathlib import Path

NODE = """
import sys
from rclpy.clock import Clock
from smpler_ros.node.node_process import ManagedNode, run_node

class Failing(ManagedNode):
    def __init__(self):
        super().__init__("failing")
        self.declare_parameter("autostart", True)
        self.create_timer(0.01, self.fail, clock=Clock())

    def fail(self):
        raise KeyError("what the callback needs")

sys.exit(run_node(Failing, []))
"""


def test_a_failing_callback_ends_the_process_with_a_status(ros_domain: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NODE],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "a callback failed: KeyError: 'what the callback needs'" in done.stderr
    assert "in fail" in done.stderr  # the traceback of a bug names its place
