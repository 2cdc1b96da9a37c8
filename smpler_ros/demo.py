"""Show the node at work: publish images to it over real topics and print what came back."""

import os
import subprocess
import sys
import time
from array import array
from pathlib import Path
from statistics import median

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import Image

from smpler_msgs.msg import SmplPersonArray

RATE_HZ = 30.0
DURATION_S = 5.0
START_TIMEOUT_S = 30.0
HEIGHT, WIDTH = 480, 640
FASTDDS_PROFILE = Path(__file__).parents[1] / "config" / "fastdds.xml"


class DemoCamera(Node):
    """Publishes noise images and measures how long the people of each take to come back."""

    def __init__(self) -> None:
        super().__init__("demo_camera")
        self._images = self.create_publisher(Image, "image", qos_profile_sensor_data)
        self.create_subscription(SmplPersonArray, "people", self._receive, 10)
        noise = np.random.default_rng(0).integers(0, 255, HEIGHT * WIDTH * 3, np.uint8)
        self._pixels = array("B", noise.tobytes())
        self.published = 0
        self.latencies_ms: list[float] = []

    def is_connected(self) -> bool:
        """Tell whether the node listens and answers."""
        return self._images.get_subscription_count() > 0 and self.count_publishers("people") > 0

    def publish(self) -> None:
        """Publish one image, stamped now."""
        message = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=WIDTH * 3)
        message.header.frame_id = "demo_camera_optical_frame"
        message.header.stamp = self.get_clock().now().to_msg()
        message.data = self._pixels
        self._images.publish(message)
        self.published += 1

    def _receive(self, people: SmplPersonArray) -> None:
        age = self.get_clock().now() - Time.from_msg(people.header.stamp)
        self.latencies_ms.append(age.nanoseconds / 1e6)


def run(camera: DemoCamera, executor: SingleThreadedExecutor) -> None:
    """Publish at a steady rate and receive in between.

    Raises:
        TimeoutError: The node did not come up.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while not camera.is_connected():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the node did not come up within {START_TIMEOUT_S:.0f} s")
        executor.spin_once(timeout_sec=0.1)
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < DURATION_S:
        if elapsed * RATE_HZ >= camera.published:
            camera.publish()
        executor.spin_once(timeout_sec=0.002)


def main() -> int:
    """Run the demonstration; return the exit status."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(FASTDDS_PROFILE))
    node = subprocess.Popen([sys.executable, "-m", "smpler_ros.smpler_node"])
    rclpy.init()
    camera = DemoCamera()
    executor = SingleThreadedExecutor()
    executor.add_node(camera)
    try:
        run(camera, executor)
    except TimeoutError as error:
        print(f"demo: {error}; its messages are above", file=sys.stderr)
        return 1
    finally:
        node.terminate()
        node.wait()
        executor.shutdown()
        camera.destroy_node()
        rclpy.try_shutdown()
    received = len(camera.latencies_ms)
    print(f"images published   {camera.published:6d}  ({WIDTH}x{HEIGHT} at {RATE_HZ:.0f} Hz)")
    print(f"people received    {received:6d}  (empty: the pipeline is not connected yet)")
    print(f"median latency     {median(camera.latencies_ms or [float('nan')]):6.1f}  ms")
    return 0 if received else 1


if __name__ == "__main__":
    sys.exit(main())
