"""A minute at full rate, with subscribers to everything that the node can publish."""

import time
from pathlib import Path

from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from tests.ros.boxed_camera import Camera
from tests.ros.conftest import StartNode, reserve_domain
from tests.ros.peer import Peer

SETTLING_S, SOAK_S = 15.0, 60.0
GROWTH_MIB = 24.0


def resident_mib(pid: int) -> float:
    """Return a process's resident memory, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} must be running, its status has no VmRSS")


def test_memory_does_not_grow_in_a_minute_at_full_rate(start_node: StartNode) -> None:
    with reserve_domain() as domain:
        peer = Peer(domain, ReliabilityPolicy.RELIABLE)
        with start_node(detector="topic", publish_vertices=True) as node:
            camera = Camera(peer)
            for name, kind in (
                ("/tf", TFMessage),
                ("mesh_markers", MarkerArray),
                ("skeleton_markers", MarkerArray),
                ("overlay/compressed", CompressedImage),
            ):
                camera.count(name, kind)
            camera.exchange()
            start, settled, frames = time.monotonic(), 0.0, 0
            while (elapsed := time.monotonic() - start) < SOAK_S:
                camera.exchange()
                camera.people.clear()
                frames += 1
                if not settled and elapsed > SETTLING_S:
                    settled = resident_mib(node.process.pid)
            grown = resident_mib(node.process.pid) - settled
            status, output, _ = node.stop()
        peer.close()
    assert frames > SOAK_S, "less than one frame a second"
    assert min(camera.counts.values()) > frames / 4
    assert grown < GROWTH_MIB
    assert (status, "Traceback" in output, "dropped" in output) == (0, False, False)
