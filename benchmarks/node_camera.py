"""A camera and subscribers on the node's topics, as a separate program."""

import argparse
import time
from array import array

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import BoundingBox2D, Detection2D, Detection2DArray
from visualization_msgs.msg import MarkerArray

from smpler_msgs.msg import SmplPersonArray

WIDTH, HEIGHT, FOCAL = 640, 480, 600.0
TopicNames = tuple[str, ...]
"""Topics of the node to subscribe to."""

_KINDS = {
    "people": SmplPersonArray,
    "tf": TFMessage,
    "mesh_markers": MarkerArray,
    "skeleton_markers": MarkerArray,
}
_LAST_WAIT_S = 1.0


class SendingCamera:
    """Publishes blank images with a box for each person."""

    def __init__(self, node: Node, people: int) -> None:
        self._images = node.create_publisher(Image, "image", 5)
        self._infos = node.create_publisher(CameraInfo, "camera_info", 5)
        self._boxes = node.create_publisher(Detection2DArray, "detections", 5)
        noise = np.random.default_rng(0).integers(0, 255, HEIGHT * WIDTH * 3, np.uint8)
        self._pixels = array("B", noise.tobytes())
        side = WIDTH / people
        self._detections = [
            detection((index + 0.2) * side, 0.05 * HEIGHT, (index + 0.8) * side, 0.95 * HEIGHT)
            for index in range(people)
        ]

    def has_subscribers(self) -> bool:
        """Return whether the node subscribes to all topics."""
        publishers = (self._images, self._infos, self._boxes)
        return all(publisher.get_subscription_count() for publisher in publishers)

    def send(self) -> None:
        """Publish one image with the current time as timestamp."""
        header = Header(frame_id="camera_optical_frame")
        header.stamp.sec, header.stamp.nanosec = divmod(time.time_ns(), 10**9)
        k = [FOCAL, 0.0, WIDTH / 2, 0.0, FOCAL, HEIGHT / 2, 0.0, 0.0, 1.0]
        size = {"height": HEIGHT, "width": WIDTH}
        self._infos.publish(CameraInfo(header=header, k=k, **size))
        self._boxes.publish(Detection2DArray(header=header, detections=self._detections))
        self._images.publish(
            Image(header=header, encoding="rgb8", step=3 * WIDTH, data=self._pixels, **size)
        )


def send_images(subscribed: TopicNames, people: int, rate_hz: float, count: int) -> None:
    """Wait for the node, publish images, and end a moment after the last.

    Args:
        subscribed: topics to subscribe to.
        people: number of boxes in every image.
        rate_hz: rate of the images.
        count: number of images.
    """
    rclpy.init()
    node = Node("camera_of_the_benchmark")
    for name in subscribed:
        topic = "/tf" if name == "tf" else name
        node.create_subscription(_KINDS[name], topic, _ignore, QoSProfile(depth=10), raw=True)
    camera = SendingCamera(node, people)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not camera.has_subscribers():
        executor.spin_once(timeout_sec=0.05)
    start, sent = time.monotonic() + _LAST_WAIT_S, 0
    while sent < count:
        if (wait := start + sent / rate_hz - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=wait)
        else:
            camera.send()
            sent += 1
    end = time.monotonic() + _LAST_WAIT_S
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown()


def main() -> None:
    """Parse the command line, which `benchmarks.node` writes, and send."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subscribed", nargs="+", choices=tuple(_KINDS))
    parser.add_argument("--people", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--count", type=int, required=True)
    chosen = parser.parse_args()
    send_images(tuple(chosen.subscribed), chosen.people, chosen.rate, chosen.count)


def _ignore(_message: bytes) -> None:
    """Receive a serialised message and ignore it."""


def detection(left: float, top: float, right: float, bottom: float) -> Detection2D:
    """Return a box, pixels, as a detection."""
    bounds = BoundingBox2D(size_x=right - left, size_y=bottom - top)
    bounds.center.position.x, bounds.center.position.y = (left + right) / 2, (top + bottom) / 2
    return Detection2D(bbox=bounds)


if __name__ == "__main__":
    main()
