"""Cost of a page beside a running node: `python -m benchmarks.live_viewer`.

A camera in a process of its own publishes a rendered film with true boxes, `smpler_node` finds the
people in it, and the node `viewer` shows them; a client receives what a browser would. Two lines,
before the page is opened and while it is:

- results/s: rate at which the node publishes people; less than the camera's if it drops images;
- people: in a result, on average;
- node %, viewer %: processor time of either process, per cent of a core;
- kB a person: sent to the page per person and image, without surfaces and the camera's images;
- kB/s: sent to the page in all.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import rclpy
import torch
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from benchmarks.film_camera import send_film
from benchmarks.node_programs import END_S, Program, wait_for
from benchmarks.page_listener import Listener, Sent
from benchmarks.timing import describe_machine, format_table, write_results
from smpler_msgs.msg import SmplPersonArray
from smpler_ros.demo.demo import set_fast_dds_profile

_SETTLE_S = 3.0
_STEP_S = 0.2
_ADDRESS = re.compile(r"people are shown at (http://\S+)")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        page: whether the page is open or closed.
        results_hz: rate of the node's results.
        people: people in a result, on average.
        node_percent: processor time of the node, per cent of a core.
        viewer_percent: likewise of the viewer.
        person_kb: sent to the page a person and image, without meshes and images.
        page_kb_s: sent to the page in all, kB/s.
    """

    page: str
    results_hz: float
    people: float
    node_percent: float
    viewer_percent: float
    person_kb: float
    page_kb_s: float


class Results(Node):
    """Counts the node's results, and the people in them."""

    def __init__(self) -> None:
        super().__init__("results_of_the_benchmark")
        self.images = self.people = 0
        self.create_subscription(SmplPersonArray, "people", self._count, QoSProfile(depth=10))

    def _count(self, message: SmplPersonArray) -> None:
        self.images += 1
        self.people += len(message.people)


def measure(people: int, rate_hz: float, seconds: float) -> list[Row]:
    """Run camera, node and viewer once; measure without and with an open page."""
    with ExitStack() as stack:
        results = stack.enter_context(_results())
        node = Program("smpler_ros.smpler_node", "detector:=topic")
        stack.callback(node.stop)
        viewer = Program("smpler_ros.viewer", "port:=0")
        stack.callback(viewer.stop)
        stack.enter_context(_camera(people, rate_hz))
        address = wait_for(
            lambda: viewer.find(_ADDRESS) if results.people else None,
            "the node must publish people, and the viewer serve its page,",
            (node, viewer),
        )
        rows = [_measure("closed", seconds, results, node, viewer, None)]
        listener = Listener(address)
        stack.callback(listener.close)
        return [*rows, _measure("open", seconds, results, node, viewer, listener)]


def tabulate(rows: Iterable[Row]) -> str:
    """Return the rows as a table."""
    head = ("page", "results/s", "people", "node %", "viewer %", "kB a person", "kB/s")
    return format_table(head, [tuple(asdict(row).values()) for row in rows])


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[4])
    parser.add_argument("--rate", type=float, default=20.0, help="rate of the images, Hz")
    parser.add_argument("--seconds", type=float, default=20.0, help="duration for each line")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", "88")
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    set_fast_dds_profile()
    rows: list[Row] = []
    try:
        for people in chosen.people:
            rows += measure(people, chosen.rate, chosen.seconds)
    except (RuntimeError, TimeoutError) as error:
        sys.exit(f"live_viewer: {error}")
    results = {
        "machine": describe_machine(torch.device("cpu")),
        "rate_hz": chosen.rate,
        "rows": [asdict(row) for row in rows],
    }
    write_results(results, tabulate(rows), chosen.json)


@contextmanager
def _results() -> Iterator[Results]:
    """Count results in a thread."""
    rclpy.init()
    results, executor = Results(), SingleThreadedExecutor()
    executor.add_node(results)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        yield results
    finally:
        executor.shutdown(timeout_sec=END_S)
        thread.join(END_S)
        results.destroy_node()
        rclpy.shutdown()


@contextmanager
def _camera(people: int, rate_hz: float) -> Iterator[None]:
    """Run the camera's process, from the time at which its film is rendered.

    Raises:
        RuntimeError: it ends before.
    """
    spawn = multiprocessing.get_context("spawn")
    is_ready, is_over = spawn.Event(), spawn.Event()
    arguments = people, rate_hz, is_ready, is_over
    camera = spawn.Process(target=send_film, args=arguments, daemon=True)
    camera.start()
    try:
        while not is_ready.wait(_STEP_S):
            if not camera.is_alive():
                raise RuntimeError("the camera must render a film, but ended; its error is above")
        yield
    finally:
        is_over.set()
        camera.join(END_S)
        camera.kill()


def _measure(
    page: str,
    seconds: float,
    results: Results,
    node: Program,
    viewer: Program,
    listener: Listener | None,
) -> Row:
    time.sleep(_SETTLE_S)
    start_s, images, there = time.monotonic(), results.images, results.people
    used = [program.processor_s() for program in (node, viewer)]
    before = 0 if listener is None else len(listener)
    time.sleep(seconds)
    took_s = time.monotonic() - start_s
    node_percent, viewer_percent = (
        100 * (program.processor_s() - earlier) / took_s
        for program, earlier in zip((node, viewer), used, strict=True)
    )
    sent = Sent(0, 0, 0) if listener is None else listener.sent_since(before)
    images, there = results.images - images, results.people - there
    return Row(
        page,
        images / took_s,
        there / max(images, 1),
        node_percent,
        viewer_percent,
        sent.people / max(there, 1) / 1e3,
        (sent.meshes + sent.images + sent.people) / took_s / 1e3,
    )


if __name__ == "__main__":
    main()
