"""Show the whole way over real topics: camera, node, recorded bag, evaluation.

`python -m smpler_ros.demo` starts the synthetic camera and the node as processes of their own,
records what they publish, and evaluates the bag against the camera's ground truth. With `--input`
an image, a folder, a video, a bag or a camera's number takes the synthetic camera's place.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import rclpy
from rclpy.executors import SingleThreadedExecutor

from smpler_model.bags import open_bag
from smpler_model.messages import stamp_ns_of
from smpler_model.source import Source, SourceError
from smpler_model.sources import IMAGE_SUFFIXES, open_source
from smpler_ros.evaluate_bag import main as evaluate_bag
from smpler_ros.offline.bag_writer import BagWriter
from smpler_ros.playback import Playback
from smpler_ros.recorder import Recorder

START_TIMEOUT_S = 120.0  # the camera renders its film first
LAST_PEOPLE_S = 2.0  # after the input's last image
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


class Session:
    """Recorder, playback and the processes that they need."""

    def __init__(self, writer: BagWriter, source: Source | None) -> None:
        self.recorder = Recorder(writer, TOPICS)
        self.playback = None if source is None else Playback(source)
        self._executor = SingleThreadedExecutor()
        for node in (self.recorder, self.playback):
            if node is not None:
                self._executor.add_node(node)

    def run(self, seconds: float, processes: list[subprocess.Popen[bytes]]) -> dict[str, int]:
        """Record from the first people on, for some seconds or until the input ends.

        Returns:
            How many messages of each topic came.

        Raises:
            TimeoutError: no people messages came in time.
            RuntimeError: a node ended.
            SourceError: the input broke off.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        started = over = False
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)
            if any(process.poll() is not None for process in processes):
                raise RuntimeError("a node ended early; its messages are above")
            if not started and self.recorder.counts[PEOPLE]:
                started, deadline = True, time.monotonic() + seconds
            if self.playback is not None and self.playback.is_over and not over:
                over, deadline = True, time.monotonic() + LAST_PEOPLE_S
        if not started:
            raise TimeoutError(f"no people came within {START_TIMEOUT_S:.0f} s")
        return self.recorder.counts

    def close(self) -> None:
        """Leave the topics."""
        self._executor.shutdown()
        for node in (self.recorder, self.playback):
            if node is not None:
                node.destroy_node()


def latencies_ms(path: Path) -> list[float]:
    """Return how long after each image's stamp its people were recorded."""
    with open_bag(path) as bag:
        messages = bag.read_messages([f"/{PEOPLE}"])
        return [(m.time_ns - stamp_ns_of(m.message)) / 1e6 for m in messages]


def record(options: argparse.Namespace, bag: Path, detector: str) -> dict[str, int]:
    """Run camera or input and node, and record them; see `Session.run`."""
    camera = ("-p", f"rate:={options.rate}", "-p", f"people:={options.people}")
    with ExitStack() as stack:
        source = stack.enter_context(open_source(options.input)) if options.input else None
        processes = [
            stack.enter_context(running("smpler_ros.smpler_node", "-p", f"detector:={detector}"))
        ]
        if source is None:
            processes.append(stack.enter_context(running("smpler_ros.synthetic_camera", *camera)))
        session = Session(stack.enter_context(BagWriter(bag)), source)
        stack.callback(session.close)
        seconds = float("inf") if source is not None else options.seconds
        return session.run(seconds, processes)


def report(bag: Path, folder: Path, counts: dict[str, int], detector: str, truth: str) -> int:
    """Print how fast it was, evaluate the bag, and return that program's exit status."""
    ages = latencies_ms(bag)
    print(f"images recorded   {counts['image']:6d}")
    print(f"people messages   {counts[PEOPLE]:6d}")
    print(f"median latency    {median(ages):6.0f}  ms from an image's stamp to its people\n")
    chosen = ["--truth", truth, "--image-topic", "/image", "--detector", detector]
    status = evaluate_bag([str(bag), "--output", str(folder), "--video", *chosen])
    print(f"\nbag for RViz or Foxglove, report, video: {folder}")
    return status


def main() -> int:
    """Run the demonstration; return the exit status."""
    parser = argparse.ArgumentParser(description="Camera, node, bag and evaluation.")
    parser.add_argument("--input", default="", help="instead of the synthetic camera")
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help="is replaced")
    parser.add_argument("--seconds", type=float, default=12.0, help="of the synthetic camera")
    parser.add_argument("--rate", type=float, default=10.0, help="its images a second")
    parser.add_argument("--people", type=int, default=2, help="in its room")
    parser.add_argument("--detector", default="", help="motion, or full_image for an image")
    options = parser.parse_args()
    is_image = Path(options.input).suffix.lower() in IMAGE_SUFFIXES
    detector = options.detector or ("full_image" if is_image else "motion")
    shutil.rmtree(options.output, ignore_errors=True)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(FASTDDS_PROFILE))
    bag = options.output / "recorded"
    rclpy.init()
    try:
        counts = record(options, bag, detector)
    except (TimeoutError, RuntimeError, SourceError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    truth = "none" if options.input else f"/{TRUTH}"
    return report(bag, options.output / "evaluation", counts, detector, truth)


if __name__ == "__main__":
    sys.exit(main())
