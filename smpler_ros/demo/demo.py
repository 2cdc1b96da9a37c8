"""The complete demonstration over real topics: camera, node, recorded bag, evaluation.

`python -m smpler_ros.demo` starts the synthetic camera and the node as separate processes,
records their topics, and evaluates the bag against the camera's ground truth. With `--input`
an image, a folder, a video, a bag or a camera's number replaces the synthetic camera. It prints
a table and the paths of its outputs.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from smpler_model.bags.reader import open_bag
from smpler_model.commands.command import INTERRUPTED, read_arguments
from smpler_model.commands.flags import add_flags, read_path, read_settings
from smpler_model.settings.pipeline import DETECTOR_DESCRIPTION, DETECTORS
from smpler_model.settings.setting import Settings, setting
from smpler_model.source import Source, SourceError, camera_number
from smpler_model.sources import IMAGE_SUFFIXES, open_source
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.demo.contact_sheet import write_contact_sheet
from smpler_ros.demo.live_page import live_page
from smpler_ros.demo.playback import Playback, is_subscribed_by_node
from smpler_ros.demo.recorder import LATCHED, Recorder
from smpler_ros.fast_dds import profile_variable

START_TIMEOUT_S = 120.0  # from the first image to the first people
EMPTY_S = 1.5  # for the detector `motion` to learn the background, if it is asked for
LAST_PEOPLE_S = 2.0  # after the input's last image
FASTDDS_PROFILE = Path(__file__).parents[2] / "config" / "fastdds.xml"
RECORDED, EVALUATED = "recorded", "evaluation"
VIDEO, SHEET = "overlay.mp4", "contact_sheet.png"
PEOPLE, TRUTH = "people", "ground_truth/people"
TOPICS = {
    "image": "sensor_msgs/msg/Image",
    "camera_info": "sensor_msgs/msg/CameraInfo",
    TRUTH: "smpler_msgs/msg/SmplPersonArray",
    PEOPLE: "smpler_msgs/msg/SmplPersonArray",
    "/tf": "tf2_msgs/msg/TFMessage",
    "/tf_static": "tf2_msgs/msg/TFMessage",
}


@dataclass(frozen=True, kw_only=True)
class DemoSettings(Settings):
    """Settings of the demonstration."""

    part: ClassVar[str] = "Demonstration"

    seconds: float = setting(
        12.0, "How long a camera is recorded.", unit="s", minimum=0.1, maximum=86_400.0
    )
    rate: float = setting(
        10.0, "Frame rate of the synthetic camera.", unit="Hz", minimum=0.5, maximum=120.0
    )
    people: int = setting(2, "Number of people in the synthetic room.", minimum=0, maximum=32)
    view: bool = setting(False, "Open the page that shows people in 3D in the default browser.")
    detector: str | None = setting(
        None,
        f"{DETECTOR_DESCRIPTION}.",
        choices=DETECTORS,
        unset="person, or full_image for an image",
    )


@contextmanager
def running(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a node of this package as a process, and stop it on leaving the context."""
    command = [sys.executable, "-m", module, "--ros-args", *arguments]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


class DemoRun:
    """A recorder, a playback and their processes."""

    def __init__(self, writer: BagWriter, source: Source | None) -> None:
        self.recorder = Recorder(writer, TOPICS)
        self.playback = None if source is None else Playback(source)
        self._executor = SingleThreadedExecutor()
        for node in (self.recorder, self.playback):
            if node is not None:
                self._executor.add_node(node)

    def run(self, seconds: float, processes: list[subprocess.Popen[bytes]]) -> None:
        """Record from the first `people` message on, for some seconds or until the input ends.

        Nothing is recorded before the node subscribes to the image, which takes as long as its
        model takes to load. The first image may take as long as the camera needs to render.

        Raises:
            TimeoutError: no `people` messages arrived in time after the first image.
            RuntimeError: a node ended.
            SourceError: the input ended with an error.
        """
        counts = self.recorder.counts
        self._spin(processes, until=lambda: is_subscribed_by_node(self.recorder, "image"))
        self.recorder.is_on = True
        self._spin(processes, until=lambda: counts["image"] > 0 or self._is_over)
        if not self._spin(processes, START_TIMEOUT_S, until=lambda: counts[PEOPLE] > 0):
            raise TimeoutError(
                f"no people messages within {START_TIMEOUT_S:.0f} s of the first image, expected "
                "one per image; the node's log is above"
            )
        if self._spin(processes, seconds, until=lambda: self._is_over):
            self._spin(processes, LAST_PEOPLE_S)

    @property
    def _is_over(self) -> bool:
        """Whether an input has ended."""
        return self.playback is not None and self.playback.is_over

    def _spin(
        self,
        processes: list[subprocess.Popen[bytes]],
        timeout_s: float = math.inf,
        *,
        until: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Record until something holds; return whether it does, or the time is over."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if until():
                return True
            self._executor.spin_once(timeout_sec=0.05)
            if any(process.poll() is not None for process in processes):
                raise RuntimeError("a node ended early; its messages are above")
        return False

    def close(self) -> None:
        """Destroy the subscriptions and publishers."""
        self._executor.shutdown()
        for node in (self.recorder, self.playback):
            if node is not None:
                node.destroy_node()


def record(
    options: argparse.Namespace, settings: DemoSettings, source: Source | None, detector: str
) -> None:
    """Run camera or input and node, and record them; see `DemoRun.run`."""
    film = {"rate": settings.rate, "people": settings.people, "empty": EMPTY_S}
    camera = [word for name, value in film.items() for word in ("-p", f"{name}:={value}")]
    with ExitStack() as stack:
        rclpy.init()
        stack.callback(rclpy.try_shutdown)
        stack.enter_context(live_page(tell, opens=settings.view))
        processes = [
            stack.enter_context(running("smpler_ros.smpler_node", "-p", f"detector:={detector}"))
        ]
        if source is None:
            processes.append(stack.enter_context(running("smpler_ros.synthetic_camera", *camera)))
        session = DemoRun(stack.enter_context(BagWriter(options.output / RECORDED)), source)
        stack.callback(session.close)
        ends_itself = source is not None and camera_number(options.input) is None
        session.run(float("inf") if ends_itself else settings.seconds, processes)


def evaluate(output: Path, detector: str, truth: str) -> None:
    """Evaluate the recorded bag, and make a contact sheet of the overlays.

    Raises:
        RuntimeError: it failed; the reason was printed.
        KeyboardInterrupt: it was interrupted.
        ValueError: there is no overlay to show.
    """
    # Only here, as it takes seconds, which need not delay the nodes' start.
    from smpler_ros.bags.evaluate_bag import main as evaluate_bag

    folder = output / EVALUATED
    chosen = ["--truth", truth, "--image-topic", "/image", "--detector", detector]
    status = evaluate_bag([str(output / RECORDED), "--output", str(folder), "--video", *chosen])
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise RuntimeError("the bag could not be evaluated; the reason is above")
    write_contact_sheet(folder / VIDEO, folder / SHEET)


def conclude(output: Path, detector: str) -> None:
    """Print the table and the paths of the outputs."""
    # Imported here for the same reason as in `evaluate`.
    from smpler_ros.bags.run_files import BAG, REPORT, SUMMARY
    from smpler_ros.demo.demo_table import format_paths, format_table, measure_live, table_rows

    folder = output / EVALUATED
    summary = json.loads((folder / SUMMARY).read_text())
    paths: dict[str, Path | str] = {
        "overlay video": folder / VIDEO,
        "contact sheet": folder / SHEET,
        "report": folder / REPORT,
        "bag for RViz or Foxglove": folder / BAG,
        "recorded topics": output / RECORDED,
        "in a browser": f"smpler view {output}",
    }
    live = measure_live(output / RECORDED, f"/{PEOPLE}")
    print(f"\n{format_table(table_rows(live, summary))}\n\n{format_paths(paths)}")
    if not summary["people"]:
        say(f"the detector {detector} found no people; choose another one with --detector")


def show(options: argparse.Namespace, settings: DemoSettings, source: Source | None) -> int:
    """Record, evaluate and report; return the exit status."""
    is_image = Path(options.input).suffix.lower() in IMAGE_SUFFIXES
    detector = settings.detector or ("full_image" if is_image else "person")
    try:
        record(options, settings, source, detector)
        evaluate(options.output, detector, "none" if options.input else f"/{TRUTH}")
        conclude(options.output, detector)
    except (KeyboardInterrupt, ExternalShutdownException):
        say(f"interrupted; {describe_kept(options.output)}")
        return INTERRUPTED
    except (OSError, RuntimeError, ValueError) as error:
        say(f"{error}; {describe_kept(options.output)}")
        return 1
    return 0


def describe_kept(output: Path) -> str:
    """Return where the partial results of a failed demonstration are, as a clause."""
    recorded, evaluated = output / RECORDED, output / EVALUATED
    with suppress(SourceError), open_bag(recorded) as bag:
        if set(bag.topics) - set(LATCHED):  # the camera's pose alone shows nothing
            kept = f"what was recorded is in {recorded}"
            return f"{kept}, what was evaluated in {evaluated}" if evaluated.exists() else kept
    return "nothing was recorded"


def remove_earlier(options: argparse.Namespace) -> None:
    """Remove the outputs of an earlier demonstration.

    Raises:
        ValueError: the input is among them.
    """
    folders = [options.output / name for name in (RECORDED, EVALUATED)]
    for folder in folders:
        if options.input and Path(options.input).resolve().is_relative_to(folder.resolve()):
            raise ValueError(
                f"the input must be outside {folder}, which is replaced, got {options.input}; "
                "choose another --output"
            )
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def set_fast_dds_profile() -> None:
    """Give Fast DDS in this process and its children the profile, unless the user has one."""
    if variable := profile_variable(os.environ):
        os.environ[variable] = str(FASTDDS_PROFILE)


def tell(sentence: str) -> None:
    """Print what is no error."""
    print(sentence, flush=True)


def say(sentence: str) -> None:
    """Print an error message."""
    print(f"demo: {sentence}", file=sys.stderr)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="demo", description="Camera, node, bag and evaluation.")
    parser.add_argument("--input", default="", help="instead of the synthetic camera")
    parser.add_argument(
        "--output", type=read_path, default=Path("runs/demo"), help="results in it are replaced"
    )
    add_flags(parser, DemoSettings)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; return the exit status."""
    options = read_arguments(build_parser(), arguments)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    set_fast_dds_profile()
    try:
        settings = read_settings(options, DemoSettings)
        with open_source(options.input) if options.input else nullcontext() as source:
            remove_earlier(options)
            return show(options, settings, source)
    except (OSError, ValueError) as error:
        say(str(error))
        return 1
