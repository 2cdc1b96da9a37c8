"""The node's messages about images without their boxes or depth."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import ReliabilityPolicy

from tests.ros.boxed_camera import Camera
from tests.ros.conftest import StartNode, reserve_domain
from tests.ros.impatient_node import IMPATIENT
from tests.ros.peer import Peer


@pytest.mark.parametrize(
    ("parameters", "gap_s", "sentence", "key", "level"),
    [
        (
            {"detector": "topic"},
            40,
            "no detections on /detections matched an image for 2 s, images without are dropped: "
            "the last one's timestamp is 40.",
            "images without detections",
            DiagnosticStatus.WARN,
        ),
        (
            {"detector": "topic"},
            -40,
            "older than the oldest waiting image; make its publisher faster",
            "images without detections",
            DiagnosticStatus.WARN,
        ),
        (
            {"detector": "topic", "use_depth": True},
            0,
            "no depth on /depth matched an image for 2 s, people are placed without it: it has "
            "no publisher",
            "images without depth",
            DiagnosticStatus.WARN,
        ),
    ],
)
def test_missing_partners_are_explained_and_counted(
    start_node: StartNode,
    parameters: dict[str, object],
    gap_s: int,
    sentence: str,
    key: str,
    level: bytes,
) -> None:
    with reserve_domain() as domain:
        peer = Peer(domain, ReliabilityPolicy.RELIABLE)
        with start_node(module=IMPATIENT, **parameters) as node:
            camera = Camera(peer)
            statuses = camera.listen("/diagnostics", DiagnosticArray)

            def is_said() -> bool:
                camera.send(gap_s=gap_s)
                peer.executor.spin_once(timeout_sec=0.05)
                return sentence in node.output

            peer.spin_until(is_said)
            last = statuses[-1].status[0]
        peer.close()
    counted = {value.key: value.value for value in last.values}
    assert int(counted[key]) > 0
    assert last.level == level
