"""A camera for tests of the node: publishes images, calibration and boxes, receives results."""

from array import array
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import BoundingBox2D, Detection2D, Detection2DArray

from smpler_model.cameras.messages import stamp_ns_of
from smpler_msgs.msg import SmplPersonArray
from tests.ros.peer import Peer

WIDTH, HEIGHT, FOCAL = 320, 240, 300.0
BOXES = ((60.0, 30.0, 140.0, 220.0), (180.0, 40.0, 260.0, 230.0))
PERIOD_NS = 100_000_000


class Camera:
    """Publishes images, calibration and boxes in a namespace; keeps results by timestamp."""

    def __init__(self, peer: Peer, namespace: str = "") -> None:
        self.peer = peer
        self.index = 0
        node, before = peer.node, f"{namespace}/" if namespace else ""
        self.images = node.create_publisher(Image, f"{before}image", 5)
        self.infos = node.create_publisher(CameraInfo, f"{before}camera_info", 5)
        self.boxes = node.create_publisher(Detection2DArray, f"{before}detections", 5)
        self.people: dict[int, SmplPersonArray] = {}
        self.others: dict[str, list[Any]] = {}
        self.counts: dict[str, int] = {}
        node.create_subscription(SmplPersonArray, f"{before}people", self._store, 50)

    def listen(self, name: str, kind: type) -> list[Any]:
        """Subscribe to another topic; return the list that collects its messages."""
        messages = self.others.setdefault(name, [])
        self.peer.node.create_subscription(kind, name, messages.append, 50)
        return messages

    def count(self, name: str, kind: type) -> None:
        """Subscribe to another topic and count its serialised messages in `counts`."""
        self.counts[name] = 0

        def add(_message: bytes) -> None:
            self.counts[name] += 1

        self.peer.node.create_subscription(kind, name, add, 50, raw=True)

    def _store(self, message: SmplPersonArray) -> None:
        self.people[stamp_ns_of(message)] = message

    def people_at(self, message: Any) -> SmplPersonArray:  # noqa: ANN401 - a message
        """Wait for the people of a message's image, as another topic may arrive first."""
        stamp_ns = stamp_ns_of(message)
        self.peer.spin_until(lambda: stamp_ns in self.people)
        return self.people[stamp_ns]

    def header(self) -> Header:
        header = Header(frame_id="camera_optical_frame")
        stamp_ns = 10**9 + self.index * PERIOD_NS
        header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, 10**9)
        return header

    def send(
        self,
        boxes: tuple[tuple[float, ...], ...] = BOXES,
        *,
        image: dict[str, object] | None = None,
        info: dict[str, object] | None = None,
        gap_s: int = 0,
    ) -> int:
        """Publish the next image with its boxes, stamped a gap later; return its timestamp."""
        self.index += 1
        header = self.header()
        rng = np.random.default_rng(self.index)
        pixels = rng.integers(0, 255, HEIGHT * WIDTH * 3, np.uint8)
        fields = {"height": HEIGHT, "width": WIDTH, "encoding": "rgb8", "step": 3 * WIDTH}
        fields["data"] = array("B", pixels.tobytes())
        k = [FOCAL, 0.0, WIDTH / 2, 0.0, FOCAL, HEIGHT / 2, 0.0, 0.0, 1.0]
        usual = {"height": HEIGHT, "width": WIDTH, "distortion_model": "plumb_bob", "k": k}
        self.infos.publish(CameraInfo(header=header, d=[0.0] * 5, **(usual | (info or {}))))
        self.images.publish(Image(header=header, **(fields | (image or {}))))
        later = Header(frame_id=header.frame_id, stamp=header.stamp)
        later.stamp.sec += gap_s
        self.boxes.publish(
            Detection2DArray(header=later, detections=[detection(box) for box in boxes])
        )
        return 10**9 + self.index * PERIOD_NS

    def exchange(self, boxes: tuple[tuple[float, ...], ...] = BOXES) -> SmplPersonArray:
        """Publish images until the people of one arrive; return them."""
        sent: list[int] = []

        def answered() -> bool:
            if not sent or self.waited > 20:
                sent.append(self.send(boxes))
                self.waited = 0
            self.waited += 1
            return any(stamp in self.people for stamp in sent)

        self.waited = 0
        self.peer.spin_until(answered)
        return self.people[max(stamp for stamp in sent if stamp in self.people)]


def detection(box: tuple[float, ...]) -> Detection2D:
    left, top, right, bottom = box
    bounds = BoundingBox2D(size_x=right - left, size_y=bottom - top)
    bounds.center.position.x, bounds.center.position.y = (left + right) / 2, (top + bottom) / 2
    return Detection2D(bbox=bounds)
