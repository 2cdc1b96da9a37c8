"""Mesh markers as lists of points and as bytes from NumPy: `python -m benchmarks.markers`.

Both kinds are published to a subscriber in this process, over real topics.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import torch
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from visualization_msgs.msg import MarkerArray

from benchmarks.timing import describe_machine, write_results
from smpler_model.body.arrays import BodyArrays
from smpler_model.body.builtin import load_builtin_body
from smpler_model.cameras.messages import Message
from smpler_model.frames import People
from smpler_ros.messages.convert import header_message
from smpler_ros.messages.markers import ADD, DEFAULT_LIFETIME_S, TRIANGLE_LIST, MeshMarkers
from smpler_ros.messages.message_types import MessageTypes, message_types_from_ros

TIMEOUT_S = 10.0
RUNS = {"list of points": 5, "bytes": 40}


@dataclass(frozen=True)
class Row:
    """One line of the table: median times for all people of a frame, milliseconds."""

    way: str
    people: int
    build_ms: float
    publish_ms: float

    @property
    def each_ms(self) -> float:
        """Time for one person."""
        return (self.build_ms + self.publish_ms) / self.people


def stand_in_a_row(body: BodyArrays, n: int) -> People:
    """Return n people in the rest pose, side by side, three metres in front of the camera."""
    places = np.stack([np.arange(n) - (n - 1) / 2, np.zeros(n), np.full(n, 3.0)], 1)
    turned = body.v_template * (1, -1, -1)  # upright in the optical frame
    return People(
        ids=np.arange(n),
        states=np.ones(n, np.uint8),
        scores=np.ones(n),
        boxes_xyxy=np.zeros((n, 4)),
        rotations=np.tile(np.eye(3), (n, 24, 1, 1)),
        betas=np.zeros((n, 10)),
        translations_m=places,
        covariances_m2=np.zeros((n, 3, 3)),
        sources=np.zeros(n, np.uint8),
        weak_cameras=np.zeros((n, 3)),
        joints_m=np.zeros((n, 24, 3)),
        keypoints_px=np.zeros((n, 24, 2)),
        vertices_m=(turned + places[:, None]).astype(np.float32),
    )


def list_points(
    types: MessageTypes, header: Message, people: People, faces: NDArray[np.integer[Any]]
) -> Message:
    """Return the markers as rclpy's objects, one for every corner of every triangle."""
    assert people.vertices_m is not None
    markers = []
    for id_, vertices in zip(people.ids.tolist(), people.vertices_m, strict=True):
        marker = types.marker(header=header, ns="mesh", id=id_, type=TRIANGLE_LIST, action=ADD)
        marker.scale.x = marker.scale.y = marker.scale.z = marker.color.a = 1.0
        marker.lifetime.nanosec = round(1e9 * DEFAULT_LIFETIME_S)
        corners = vertices[faces].reshape(-1, 3).astype(np.float64).tolist()
        marker.points = [types.point(x=x, y=y, z=z) for x, y, z in corners]
        markers.append(marker)
    return types.marker_array(markers=markers)


class TopicPair:
    """A topic in this process. The newest message is kept as bytes."""

    def __init__(self, node: Node) -> None:
        """Connect both ends.

        Raises:
            TimeoutError: discovery took too long.
        """
        qos = QoSProfile(depth=1)
        self._node = node
        self._received: bytes = b""
        self.publisher = node.create_publisher(MarkerArray, "mesh_markers", qos)
        node.create_subscription(MarkerArray, "mesh_markers", self._receive, qos, raw=True)
        self._spin_until(lambda: self.publisher.get_subscription_count() > 0)

    def check_arrival(self, size: int) -> None:
        """Wait until a message of this many bytes has arrived.

        Raises:
            TimeoutError: none arrived.
        """
        self._spin_until(lambda: len(self._received) == size)
        self._received = b""

    def _receive(self, raw: bytes) -> None:
        self._received = raw

    def _spin_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"a message must arrive within {TIMEOUT_S:.0f} s, got none; see "
                    "`smpler doctor` for ROS 2"
                )
            rclpy.spin_once(self._node, timeout_sec=0.05)


def measure(way: str, people: int, build: Callable[[], Message], link: TopicPair) -> Row:
    """Build and publish repeatedly; each message must arrive before the next."""
    builds, publishes = [], []
    for _ in range(RUNS[way] + 1):
        start = time.perf_counter()
        message = build()
        built = time.perf_counter()
        link.publisher.publish(message)
        publishes.append(time.perf_counter() - built)
        builds.append(built - start)
        raw = message if isinstance(message, bytes) else serialize_message(message)
        link.check_arrival(len(raw))
    # The first run fills caches.
    return Row(
        way, people, 1e3 * statistics.median(builds[1:]), 1e3 * statistics.median(publishes[1:])
    )


def run(numbers: list[int]) -> list[Row]:
    """Measure both kinds for each number of people."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    types = message_types_from_ros(serialize_message)
    body = load_builtin_body()
    header = header_message(types, time.time_ns(), "camera_optical_frame")
    rclpy.init()
    node = Node("markers_benchmark")
    try:
        link = TopicPair(node)
        rows = []
        for n in numbers:
            people = stand_in_a_row(body, n)
            markers = MeshMarkers(types, body.faces)
            slow = partial(list_points, types, header, people, body.faces)
            fast = partial(markers.serialize, header, people)
            rows.append(measure("list of points", n, slow, link))
            rows.append(measure("bytes", n, fast, link))
        return rows
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table, each pair with its ratio."""
    lines = [
        f"{platform.machine()}, {os.cpu_count()} cores, median times of a frame",
        "| people | way | build ms | publish ms | ms a person | times faster |",
        "|---|---|---|---|---|---|",
    ]
    slow = {row.people: row.each_ms for row in rows if row.way == "list of points"}
    lines += [
        f"| {row.people} | {row.way} | {row.build_ms:.2f} | {row.publish_ms:.2f} | "
        f"{row.each_ms:.2f} | {slow[row.people] / row.each_ms:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description="Mesh markers as lists of points and as bytes.")
    parser.add_argument("--people", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = run(arguments.people)
    results = {
        "machine": describe_machine(torch.device("cpu")),
        "rows": [asdict(row) | {"each_ms": row.each_ms} for row in rows],
    }
    write_results(results, table(rows), arguments.json)


if __name__ == "__main__":
    main()
