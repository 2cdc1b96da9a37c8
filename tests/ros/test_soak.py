"""Many frames at full rate, with subscribers to everything that the node can publish."""

import time
from pathlib import Path

from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from tests.ros.boxed_camera import Camera
from tests.ros.conftest import StartNode, reserve_domain
from tests.ros.peer import Peer

SETTLING_FRAMES, FRAMES = 40, 60
GROWTH_MIB = 4.0  # 70 KiB a frame: a mesh is 1 MB, an image 230 kB


def resident_mib(pid: int) -> float:
    """Return a process's resident memory, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} must be running, its status has no VmRSS")


def test_memory_does_not_grow_over_many_frames(start_node: StartNode) -> None:
    with reserve_domain() as domain:
        peer = Peer(domain, ReliabilityPolicy.RELIABLE)
        with start_node(detector="topic", backend="auto", publish_vertices=True) as node:
            camera = Camera(peer)
            for name, kind in (
                ("/tf", TFMessage),
                ("mesh_markers", MarkerArray),
                ("skeleton_markers", MarkerArray),
                ("overlay/compressed", CompressedImage),
            ):
                camera.count(name, kind)
            held_mib: list[float] = []
            start = time.monotonic()
            for frames in (SETTLING_FRAMES, FRAMES):
                for _ in range(frames):
                    camera.exchange()
                    camera.people.clear()
                held_mib.append(resident_mib(node.pid))
            elapsed_s = time.monotonic() - start
            status, output, _ = node.stop()
        peer.close()
    assert elapsed_s < SETTLING_FRAMES + FRAMES, "less than one frame a second"
    assert min(camera.counts.values()) > FRAMES / 4
    assert held_mib[1] - held_mib[0] < GROWTH_MIB
    assert (status, "Traceback" in output, "dropped" in output) == (0, False, False)
