"""The demonstration of `make demo`, with input files."""

import csv
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import Image

from smpler_model.bags.reader import open_bag
from smpler_model.commands.recordings import open_recording
from smpler_model.inference.optional_packages import is_installed
from smpler_msgs.msg import SmplPersonArray
from smpler_ros import fast_dds
from smpler_ros.bags.bag_writer import BagWriter
from smpler_ros.demo import demo
from smpler_ros.demo.contact_sheet import WIDTH_PX
from smpler_ros.demo.demo import describe_kept, evaluate
from smpler_ros.messages.convert import header_message
from tests.ros.peer import Peer

ROOT = Path(__file__).parents[2]
SIZE = (160, 120)
RunDemo = Callable[..., subprocess.CompletedProcess[str]]
RESULTS = {
    "overlay video": "evaluation/overlay.mp4",
    "contact sheet": "evaluation/contact_sheet.png",
    "report": "evaluation/report.html",
    "bag for RViz or Foxglove": "evaluation/bag",
    "recorded topics": "recorded",
}


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "smpler_ros.demo", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def write_clip(path: Path, *, step: int = 3, frames: int = 30) -> Path:
    """Write a disc on grey that moves by a number of pixels in each of ten frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, SIZE)
    for index in range(frames):
        image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        cv2.circle(image, (20 + step * index, 60), 15, (30, 200, 240), -1)
        writer.write(image)
    writer.release()
    return path


def table_of(printed: str) -> dict[str, list[str]]:
    """Return the words of the final table's lines after their titles."""
    titles = ("people messages", "median latency", "people seen", "tracks", "MPJPE")
    return {
        title: line.removeprefix(title).split()
        for line in printed.splitlines()
        for title in titles
        if line.startswith(f"{title} ")
    }


@pytest.fixture
def run_here(
    ros_domain: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> RunDemo:
    """Return a function like `run_demo` that runs it in this process, without the page in 3D.

    Starting a process and the page takes seconds of processor time; the first test does both.
    """
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if variable := fast_dds.profile_variable(os.environ):  # as `main` would, but not for good
        monkeypatch.setenv(variable, str(demo.FASTDDS_PROFILE))
    monkeypatch.setattr(demo, "live_page", lambda _, **__: nullcontext())

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        status = demo.main(arguments)
        printed = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, status, printed.out, printed.err)

    return run


def test_a_video_goes_through_the_node_into_bag_and_report(
    ros_domain: int, tmp_path: Path
) -> None:
    clip, out = write_clip(tmp_path / "clip.avi"), tmp_path / "out"
    done = run_demo("--input", str(clip), "--output", str(out), "--detector", "full_image")
    assert done.returncode == 0, done.stderr
    with (out / "evaluation" / "people.csv").open() as file:
        people = list(csv.DictReader(file))
    assert len(people) > 10
    assert cv2.imread(str(out / "evaluation" / "contact_sheet.png")).shape[1] == WIDTH_PX
    table = table_of(done.stdout)
    assert 1 < float(table["people messages"][0]) < 20
    assert 0 < float(table["median latency"][0]) < 5000
    assert int(table["people seen"][0]) == len(people)
    assert "MPJPE" not in table
    *_, last = done.stdout.split("\n\n")
    shown = dict(line.rsplit("  ", 1) for line in last.splitlines())
    assert {title.rstrip(): path for title, path in shown.items()} == {
        title: str(out / name) for title, name in RESULTS.items()
    } | {"in a browser": f"smpler view {out}"}
    if is_installed("viser"):
        assert "people in 3D: http://localhost:" in done.stdout
    assert all((out / name).exists() for name in RESULTS.values())
    assert 0 < len(open_recording(out)) <= len(open_recording(out / "evaluation")) <= 30
    with open_bag(out / "evaluation" / "bag") as bag:
        static = [each.message for each in bag.read_messages(["/tf_static"])]
        moving = [each.message for each in bag.read_messages(["/tf"])]
    [camera] = static[0].transforms
    assert (camera.header.frame_id, camera.child_frame_id) == ("map", "camera_optical_frame")
    said = [
        (each.child_frame_id, each.header.stamp.sec, each.header.stamp.nanosec)
        for message in moving
        for each in message.transforms
    ]
    assert len(set(said)) == len(said) > 0  # otherwise tf2 would report repeated data


def test_an_input_without_people_is_reported(run_here: RunDemo, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "still.avi", step=0, frames=10)
    done = run_here("--input", str(clip), "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert table_of(done.stdout)["people seen"][0] == "0"
    assert "demo: the detector person found no people; choose another" in done.stderr


def test_the_recording_of_a_truncated_input_is_kept(run_here: RunDemo, tmp_path: Path) -> None:
    clip, out = write_clip(tmp_path / "clip.avi"), tmp_path / "out"
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) // 2])
    done = run_here("--input", str(clip), "--output", str(out), "--detector", "full_image")
    assert done.returncode == 1
    assert "before it was truncated" in done.stderr
    assert f"; what was recorded is in {out / 'recorded'}\n" in done.stderr
    assert "Traceback" not in done.stderr
    with open_bag(out / "recorded") as bag:
        assert bag.topics["/image"].count > 5


def test_a_recording_that_cannot_be_evaluated_is_kept(tmp_path: Path) -> None:
    assert describe_kept(tmp_path) == "nothing was recorded"
    with BagWriter(tmp_path / "recorded") as writer:
        pose = writer.types.tf_message(transforms=[])
        writer.write("/tf_static", "tf2_msgs/msg/TFMessage", 1, pose, latched=True)
    assert describe_kept(tmp_path) == "nothing was recorded"
    shutil.rmtree(tmp_path / "recorded")
    with BagWriter(tmp_path / "recorded") as writer:
        header = header_message(writer.types, 1, "camera")
        message = writer.types.person_array(header=header, model="", people=[])
        writer.write("/people", "smpler_msgs/msg/SmplPersonArray", 2, message)
    kept = f"what was recorded is in {tmp_path / 'recorded'}"
    assert describe_kept(tmp_path) == kept
    with pytest.raises(RuntimeError, match="the bag could not be evaluated; the reason is above"):
        evaluate(tmp_path, "motion", "none")
    assert describe_kept(tmp_path) == f"{kept}, what was evaluated in {tmp_path / 'evaluation'}"


def test_a_node_that_cannot_start_is_reported(run_here: RunDemo, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi")
    out = ["--output", str(tmp_path / "out")]
    done = run_here("--input", str(clip), *out, "--detector", "onnx")
    assert done.returncode == 1
    assert "demo: a node ended early; its messages are above; nothing was" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_camera_may_render_longer_than_people_may_take(
    reliable_peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "START_TIMEOUT_S", 2.0)
    peer = reliable_peer
    publisher = peer.node.create_publisher(SmplPersonArray, "people", 1)

    def publish() -> None:
        peer.publish_image(1)  # while the node still loads
        time.sleep(1.0)
        node.create_subscription(Image, "image", lambda _: None, 1)
        time.sleep(3.0)  # as if it rendered
        peer.publish_image(2)
        for _ in range(40):
            publisher.publish(SmplPersonArray())
            time.sleep(0.05)

    rclpy.init()
    with BagWriter(tmp_path / "recorded") as writer:
        run = demo.DemoRun(writer, None)
        peer.spin_until(lambda: peer.images.get_subscription_count() == 1)
        node = rclpy.create_node("smpler_node", context=peer.context)
        thread = threading.Thread(target=publish)
        thread.start()
        run.run(0.1, [])
        thread.join()
        run.close()
        node.destroy_node()
    rclpy.shutdown()
    assert run.recorder.counts["image"] == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing.mp4", "the input must be a file, a folder or a camera number"),
        ("empty.mp4", "must be a video that OpenCV can decode"),
        ("out/recorded/clip.avi", "the input must be outside"),
    ],
)
def test_invalid_inputs_are_refused_and_nothing_is_removed(
    name: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if variable := fast_dds.profile_variable(os.environ):  # as `main` would, but not for good
        monkeypatch.setenv(variable, str(demo.FASTDDS_PROFILE))
    earlier = tmp_path / "out" / "recorded"
    earlier.mkdir(parents=True)
    write_clip(earlier / "clip.avi")
    (tmp_path / "empty.mp4").touch()
    given = ["--input", str(tmp_path / name), "--output", str(tmp_path / "out")]
    assert demo.main(given) == 1
    printed = capsys.readouterr().err
    assert "demo: " in printed
    assert reason in printed
    assert "Traceback" not in printed
    assert (earlier / "clip.avi").exists()
