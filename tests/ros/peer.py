"""A node as a process, and a peer that communicates with it over real ROS."""

import os
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from smpler_msgs.msg import SmplPersonArray

STARTUP_S = 60.0  # on a busy machine


class NodeProcess:
    """A node of the package as its own process. Its output is read continuously."""

    def __init__(self, module: str, *ros_arguments: str) -> None:
        command = [sys.executable, "-m", module]
        if ros_arguments:
            command += ["--ros-args", *ros_arguments]
        self.process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        """The output so far."""
        return "".join(self._lines)

    def wait_for(self, text: str, timeout_s: float = STARTUP_S) -> None:
        """Wait until the node has printed a text; fail if it does not in time."""
        end = time.monotonic() + timeout_s
        while text not in self.output:
            assert time.monotonic() < end, f"'{text}' was not printed in time:\n{self.output}"
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str, float]:
        """Send a signal; return the exit status, the output, and the time taken, seconds."""
        start = time.monotonic()
        self.process.send_signal(number)
        status = self.wait()
        return status, self.output, time.monotonic() - start

    def wait(self) -> int:
        """Wait until the process exits by itself; return its exit status."""
        status = self.process.wait(timeout=STARTUP_S)
        self._reader.join()
        return status

    def __enter__(self) -> "NodeProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        if error is not None:
            sys.stdout.write(self.output)

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        for line in iter(stream.readline, ""):
            self._lines.append(line)


class Peer:
    """The node's counterpart: publishes images, collects people."""

    def __init__(self, domain: int, reliability: ReliabilityPolicy) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("peer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        qos = QoSProfile(depth=1, reliability=reliability)
        self.images = self.node.create_publisher(Image, "image", qos)
        self.camera_infos = self.node.create_publisher(CameraInfo, "camera_info", qos)
        self.people: list[SmplPersonArray] = []
        self.sent: list[Time] = []
        self.node.create_subscription(SmplPersonArray, "people", self.people.append, 10)

    def publish_image(self, seconds: int, height: int = 48, width: int = 64) -> None:
        """Publish a grey image and its camera_info, with different timestamps in this second."""
        image = Image(height=height, width=width, encoding="rgb8", step=width * 3)
        image.data = array("B", bytes([127])) * (height * width * 3)
        image.header.frame_id = "camera_optical_frame"
        self.sent.append(Time(sec=seconds, nanosec=5 + len(self.sent)))
        image.header.stamp = self.sent[-1]
        self.camera_infos.publish(CameraInfo(header=image.header, height=height, width=width))
        self.images.publish(image)

    def spin_until(self, condition: Callable[[], bool], timeout_s: float = STARTUP_S) -> None:
        """Spin until the condition holds; fail if it does not in time."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, "the condition did not come true in time"
            self.executor.spin_once(timeout_sec=0.02)

    def wait_for_node(self) -> None:
        """Wait until the node subscribes to the image and publishes people."""
        self.spin_until(
            lambda: (
                self.images.get_subscription_count() > 0
                and self.node.count_publishers("people") > 0
            )
        )

    def wait_for_reliable_node(self, topic: str = "/image") -> None:
        """Wait until the node subscribes reliably to a topic, by default the image's."""

        def is_reliable() -> bool:
            subscriptions = self.node.get_subscriptions_info_by_topic(topic)
            return [s.qos_profile.reliability for s in subscriptions] == [
                ReliabilityPolicy.RELIABLE
            ]

        self.spin_until(is_reliable)

    def wait_for_no_node(self) -> None:
        """Wait until nobody subscribes to the image any more."""
        self.spin_until(lambda: self.images.get_subscription_count() == 0, timeout_s=40)

    def exchange(self, seconds: int) -> SmplPersonArray:
        """Publish images of a second until their people arrive."""
        end = time.monotonic() + STARTUP_S
        while not (mine := [p for p in self.people if p.header.stamp.sec == seconds]):
            assert time.monotonic() < end, "no people came back"
            self.publish_image(seconds)
            self.executor.spin_once(timeout_sec=0.1)
        return mine[0]

    def close(self) -> None:
        """Destroy the node and its context."""
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)
