"""The node's messages about the arrival of images and depth."""

import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import Image

from tests.ros.conftest import StartNode
from tests.ros.impatient_node import IMPATIENT, SILENCE_S
from tests.ros.peer import Peer


def test_start_stop_and_return_of_images_are_logged(
    reliable_peer: Peer, start_node: StartNode
) -> None:
    with start_node(module=IMPATIENT) as node:
        reliable_peer.wait_for_node()

        def send_until(text: str) -> None:
            def is_said() -> bool:
                reliable_peer.publish_image(1)
                time.sleep(0.05)
                return text in node.output

            reliable_peer.spin_until(is_said)

        send_until("receiving images on /image at ")
        node.wait_for(f"no image on /image for {SILENCE_S:.0f} s")
        send_until("images are back on /image")
    assert "64x48" in node.output
    assert "[smpler_ros]" not in node.output


def test_rare_depth_is_logged(reliable_peer: Peer, start_node: StartNode) -> None:
    peer = reliable_peer
    depths = peer.node.create_publisher(Image, "depth", 5)
    said: list[DiagnosticArray] = []
    peer.node.create_subscription(DiagnosticArray, "/diagnostics", said.append, 10)
    with start_node(module=IMPATIENT, use_depth=True) as node:
        peer.wait_for_reliable_node()
        peer.wait_for_reliable_node("/depth")

        def send(every: int) -> None:
            peer.publish_image(1 + len(peer.sent))
            if len(peer.sent) % every == 0:
                depth = Image(height=48, width=64, encoding="16UC1", step=128)
                depth.header.stamp = peer.sent[-1]
                depth.data = bytes(48 * 128)
                depths.publish(depth)
            time.sleep(0.1)

        def send_until(text: str, every: int) -> None:
            def is_said() -> bool:
                send(every)
                return text in node.output

            peer.spin_until(is_said)

        def is_low_in_diagnostics() -> bool:
            send(every=5)
            values = {value.key: value.value for value in said[-1].status[0].values}
            return 0 < int(values["images with depth (%)"]) < 50

        send_until("images came with depth, people are placed without it", every=5)
        peer.spin_until(is_low_in_diagnostics)
        assert said[-1].status[0].level == DiagnosticStatus.WARN
        send_until("depth is back: ", every=1)
