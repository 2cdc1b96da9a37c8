"""Three cameras of one live node, one of which fails at each step in turn."""

import time
from array import array

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import ReliabilityPolicy

from tests.ros.boxed_camera import HEIGHT, WIDTH, Camera
from tests.ros.conftest import StartNode, reserve_domain
from tests.ros.failing_node import STEPS
from tests.ros.peer import Peer

BLACK = {"data": array("B", bytes(HEIGHT * WIDTH * 3))}


def test_a_failing_camera_drops_no_image_of_the_others(
    start_node: StartNode,
) -> None:
    names = ("left", "middle", "right")
    with reserve_domain() as domain:
        peer = Peer(domain, ReliabilityPolicy.RELIABLE)
        cameras = {name: Camera(peer, name) for name in names}
        statuses = cameras["left"].listen("/diagnostics", DiagnosticArray)
        started = start_node(
            module="tests.ros.failing_node",
            detector="topic",
            cameras=f"[{','.join(names)}]",
            publish_vertices=True,
        )
        with started as node:
            for camera in cameras.values():
                camera.exchange()
            # Inputs become reliable within half a second; afterwards no image is lost.
            settled = time.monotonic() + 3
            peer.spin_until(lambda: time.monotonic() > settled)
            for camera in cameras.values():
                camera.exchange()
            first = max(camera.index for camera in cameras.values())
            for camera in cameras.values():
                camera.index = first
            for _ in STEPS:
                stamps = {
                    name: camera.send(image=BLACK if name == "middle" else None)
                    for name, camera in cameras.items()
                }
                peer.spin_until(
                    lambda sent=stamps: all(
                        sent[name] in cameras[name].people for name in ("left", "right")
                    )
                )
                for name in ("left", "right"):
                    assert len(cameras[name].people[stamps[name]].people) == 2
                assert stamps["middle"] not in cameras["middle"].people
            for step in STEPS:
                node.wait_for(f"an image was dropped: RuntimeError: {step} is out of order")

            def failed() -> dict[str, int]:
                counts = dict.fromkeys(names, 0)
                for message in statuses:
                    for status in message.status:
                        values = {value.key: value.value for value in status.values}
                        counts[status.hardware_id] += int(values["images failed"])
                return counts

            peer.spin_until(lambda: failed()["middle"] == len(STEPS))
            assert (failed()["left"], failed()["right"]) == (0, 0)
            levels = {s.hardware_id: s.level for message in statuses for s in message.status}
            assert set(levels) == set(names)
            assert any(
                status.level == DiagnosticStatus.ERROR
                for message in statuses
                for status in message.status
                if status.hardware_id == "middle"
            )
            # Nothing stays broken.
            assert len(cameras["middle"].exchange().people) == 2
        peer.close()
