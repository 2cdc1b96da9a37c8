"""Show the whole way over real topics: synthetic camera, node, recorded bag, evaluation.

`python -m smpler_ros.demo` starts the synthetic camera and the node as processes of their own,
records what they publish, and evaluates the bag against the camera's ground truth.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import rclpy
from rclpy.executors import SingleThreadedExecutor

from smpler_model.bags import open_bag
from smpler_model.messages import stamp_ns_of
from smpler_ros.evaluate_bag import main as evaluate_bag
from smpler_ros.offline.bag_writer import BagWriter
from smpler_ros.recorder import Recorder

START_TIMEOUT_S = 120.0  # the camera renders its film first
FASTDDS_PROFILE = Path(__file__).parents[1] / "config" / "fastdds.xml"
PEOPLE, TRUTH = "people", "ground_truth/people"
TOPICS = {
    "image": "sensor_msgs/msg/Image",
    "camera_info": "sensor_msgs/msg/CameraInfo",
    TRUTH: "smpler_msgs/msg/SmplPersonArray",
    PEOPLE: "smpler_msgs/msg/SmplPersonArray",
    "/tf": "tf2_msgs/msg/TFMessage",
}


@contextmanager
def running(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a node of this package as a process, and stop it in the end."""
    command = [sys.executable, "-m", module, "--ros-args", *arguments]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def record(path: Path, seconds: float, nodes: list[subprocess.Popen[bytes]]) -> dict[str, int]:
    """Record the topics into a bag for some seconds from the first people on.

    Returns:
        How many messages of each topic came.

    Raises:
        TimeoutError: nobody was found in time.
        RuntimeError: a node ended.
    """
    with BagWriter(path) as writer:
        recorder = Recorder(writer, TOPICS)
        executor = SingleThreadedExecutor()
        executor.add_node(recorder)
        deadline = time.monotonic() + START_TIMEOUT_S
        started = False
        while time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.05)
            if any(node.poll() is not None for node in nodes):
                raise RuntimeError("a node ended early; its messages are above")
            if not started and recorder.counts[PEOPLE]:
                started, deadline = True, time.monotonic() + seconds
        executor.shutdown()
        recorder.destroy_node()
    if not started:
        raise TimeoutError(f"no people came within {START_TIMEOUT_S:.0f} s")
    return recorder.counts


def latencies_ms(path: Path) -> list[float]:
    """Return how long after each image's stamp its people were recorded."""
    with open_bag(path) as bag:
        messages = bag.read_messages([f"/{PEOPLE}"])
        return [(m.time_ns - stamp_ns_of(m.message)) / 1e6 for m in messages]


def main() -> int:
    """Run the demonstration; return the exit status."""
    parser = argparse.ArgumentParser(description="Synthetic camera, node, bag and evaluation.")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/demo"), help="replaced if it exists"
    )
    parser.add_argument("--seconds", type=float, default=12.0, help="of recording")
    parser.add_argument("--rate", type=float, default=10.0, help="images a second")
    parser.add_argument("--people", type=int, default=2, help="in the room")
    options = parser.parse_args()
    shutil.rmtree(options.output, ignore_errors=True)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(FASTDDS_PROFILE))
    bag = options.output / "recorded"
    camera = ("-p", f"rate:={options.rate}", "-p", f"people:={options.people}")
    rclpy.init()
    try:
        with (
            running("smpler_ros.smpler_node", "-p", "detector:=motion") as node,
            running("smpler_ros.synthetic_camera", *camera) as source,
        ):
            counts = record(bag, options.seconds, [node, source])
    except (TimeoutError, RuntimeError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    ages = latencies_ms(bag)
    print(f"images recorded   {counts['image']:6d}")
    print(f"people messages   {counts[PEOPLE]:6d}  ({counts[PEOPLE] / options.seconds:.1f} Hz)")
    print(f"median latency    {median(ages):6.0f}  ms from an image's stamp to its people\n")
    result = options.output / "evaluation"
    truth = ["--truth", f"/{TRUTH}", "--image-topic", "/image"]
    arguments = [str(bag), "--output", str(result), "--detector", "motion", "--video", *truth]
    status = evaluate_bag(arguments)
    print(f"\nbag for RViz or Foxglove, report, video: {result}")
    return status


if __name__ == "__main__":
    sys.exit(main())
