"""What `make demo` runs, with input of one's own."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[2]
SIZE = (160, 120)


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


def test_a_video_goes_through_the_node_into_bag_and_report(
    ros_domain: int, tmp_path: Path
) -> None:
    writer = cv2.VideoWriter(
        str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, SIZE
    )
    for index in range(30):
        image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        cv2.circle(image, (20 + 3 * index, 60), 15, (30, 200, 240), -1)
        writer.write(image)
    writer.release()
    out = tmp_path / "out"
    clip = str(tmp_path / "clip.avi")
    done = run_demo("--input", clip, "--output", str(out), "--detector", "full_image")
    assert done.returncode == 0, done.stderr
    with (out / "evaluation" / "people.csv").open() as file:
        people = list(csv.DictReader(file))
    assert len(people) > 10
    assert (out / "evaluation" / "report.html").stat().st_size > 0
    assert "median latency" in done.stdout


def test_what_is_no_input_is_said(ros_domain: int, tmp_path: Path) -> None:
    done = run_demo("--input", str(tmp_path / "nothing.mp4"), "--output", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "demo: the input must be a file, a folder or a camera number" in done.stderr
    assert "Traceback" not in done.stderr
