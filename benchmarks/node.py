"""Overhead of the live node besides the network: `python -m benchmarks.node`.

A separate process publishes images of 640x480 with calibration and boxes at 30 Hz, and subscribes
to the results; the node runs here, over real topics, with the package's Fast DDS profile. For
every image whose people were published:

- overhead: from the image's arrival at the node to the publication of its people, without the time
  of the network;
- end to end: from just before the image was published to the publication of its people.

Images without published people count as dropped.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rclpy
import torch
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn

from benchmarks.node_camera import TopicNames
from benchmarks.timing import describe_machine, format_table, write_results
from smpler_model.array_types import Floats
from smpler_model.cameras.messages import stamp_ns_of
from smpler_ros.demo.demo import set_fast_dds_profile
from smpler_ros.inputs.arrival import Arrival
from smpler_ros.node.smpler_node import SmplerNode

SUBSCRIBED: dict[str, TopicNames] = {
    "people": ("people",),
    "people, tf, markers": ("people", "tf", "mesh_markers", "skeleton_markers"),
}
_SETTLING_S = 0.5
_WAIT_S = 60.0


@dataclass(frozen=True)
class Passage:
    """The processing of one image by the node, milliseconds.

    Attributes:
        whole_ms: time from just before the image was published until its people were published.
        inside_ms: time from the image's arrival until its people were published.
        network_ms: part of `inside_ms` spent in the network.
    """

    whole_ms: float
    inside_ms: float
    network_ms: float


class MeasuredNode(SmplerNode):
    """The node, which also records when images arrive and people are published."""

    def __init__(self) -> None:
        super().__init__()
        self.passages: list[Passage] = []
        self._came: dict[int, float] = {}

    def _store_for(self, name: str) -> Callable[[Arrival], None]:
        store = super()._store_for(name)

        def note(arrival: Arrival) -> None:
            self._came[stamp_ns_of(arrival.image)] = time.perf_counter()
            store(arrival)

        return note

    def _process(self, arrivals: dict[str, Arrival]) -> None:
        session = self._session
        if session is None:
            return
        for _, done in session.process(arrivals):
            inside_ms = 1e3 * (time.perf_counter() - self._came[done.stamp_ns])
            whole_ms = (time.time_ns() - done.stamp_ns) / 1e6
            self.passages.append(Passage(whole_ms, inside_ms, done.steps_ms["estimate"]))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        subscribed: topics with subscribers.
        people: number of people in every image.
        sent: number of images published.
        dropped: number of images without published people.
        overhead_ms: median and 99th percentile.
        network_ms: median.
        whole_ms: median and 99th percentile of the end-to-end time.
    """

    subscribed: str
    people: int
    sent: int
    dropped: int
    overhead_ms: tuple[float, float]
    network_ms: float
    whole_ms: tuple[float, float]


def measure(subscribed: str, people: int, rate_hz: float, seconds: float) -> Row:
    """Run node and camera once."""
    settling = math.ceil(_SETTLING_S * rate_hz)
    count = int(rate_hz * seconds) + settling
    command = [sys.executable, "-m", "benchmarks.node_camera", *SUBSCRIBED[subscribed]]
    command += ["--people", str(people), "--rate", str(rate_hz), "--count", str(count)]
    rclpy.init(args=["--ros-args", "-p", "detector:=topic", "-p", "autostart:=false"])
    node = MeasuredNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    camera = subprocess.Popen(command)
    try:
        for step in (node.trigger_configure, node.trigger_activate):
            if step() != TransitionCallbackReturn.SUCCESS:
                raise RuntimeError("the node must start, but did not; its log says why")
        end = time.monotonic() + _WAIT_S + seconds
        while camera.poll() is None and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)
        if camera.returncode != 0:
            raise RuntimeError(f"the camera must exit by itself, got status {camera.returncode}")
    finally:
        camera.kill()
        camera.wait()
        node.close()
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown()
    return _summarise(subscribed, people, count, settling, node.passages)


def tabulate(rows: Iterable[Row]) -> str:
    """Return the rows as a table."""
    head = (
        *("subscribed to", "people", "images", "dropped", "overhead ms", "p99", "network ms"),
        *("end to end ms", "p99"),
    )
    cells = [
        (r.subscribed, r.people, r.sent, r.dropped, *r.overhead_ms, r.network_ms, *r.whole_ms)
        for r in rows
    ]
    return format_table(head, cells)


def main() -> None:
    """Measure, print a table, and optionally write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rate", type=float, default=30.0, help="rate of the images, Hz")
    parser.add_argument("--seconds", type=float, default=20.0, help="duration for each line")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", "87")
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    set_fast_dds_profile()
    rows = [
        measure(subscribed, people, chosen.rate, chosen.seconds)
        for people in chosen.people
        for subscribed in SUBSCRIBED
    ]
    results = {
        "machine": describe_machine(torch.device("cpu")),
        "rate_hz": chosen.rate,
        "rows": [asdict(row) for row in rows],
    }
    write_results(results, tabulate(rows), chosen.json)


def _summarise(
    subscribed: str, people: int, sent: int, settling: int, passages: list[Passage]
) -> Row:
    if len(passages) <= settling:
        raise RuntimeError(
            f"more than {settling} of {sent} images must have published people, got "
            f"{len(passages)}; end other programs, or lower the rate"
        )
    whole, inside, network = np.array([list(asdict(p).values()) for p in passages]).T
    settled = slice(settling, None)
    return Row(
        subscribed=subscribed,
        people=people,
        sent=sent,
        dropped=sent - len(passages),
        overhead_ms=_middle_and_worst((inside - network)[settled]),
        network_ms=float(np.median(network[settled])),
        whole_ms=_middle_and_worst(whole[settled]),
    )


def _middle_and_worst(values: Floats) -> tuple[float, float]:
    return float(np.median(values)), float(np.percentile(values, 99))


if __name__ == "__main__":
    main()
