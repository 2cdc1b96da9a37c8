"""The command on real input of every kind, intact and damaged."""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from smpler_model import sources
from smpler_model.commands.command_line import main
from smpler_model.commands.run_record import RunRecord, read_run_record
from smpler_model.inference.estimator import Estimates, Estimator
from tests.after_self_check import break_after_self_check
from tests.full_memory import SENTENCE, run_out_after
from tests.smpler_model.cameras.test_calibration import CALIBRATION

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SIZE = (64, 48)


def picture(index: int) -> np.ndarray:
    rng = np.random.default_rng(index)
    return rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)


def write_video(path: Path, count: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, SIZE)
    for index in range(count):
        writer.write(picture(index))
    writer.release()


def lines_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def frames_of(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    return count


def test_an_image(command: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite("person.png", picture(0))
    assert main([*command, "person.png", "--mesh", "glb", "--backend", "auto"]) == 0
    files = sorted(path.name for path in (here / "out").iterdir())
    assert files == ["mesh.glb", "overlay.png", "results.jsonl", "run.json"]
    (line,) = lines_of(here / "out")
    assert line["name"] == "person"
    assert len(line["people"]) == 1
    assert not line["camera"]["calibrated"]
    assert not np.array_equal(cv2.imread("out/overlay.png"), cv2.imread("person.png"))
    printed = capsys.readouterr().out
    for step in ("read", "detect", "estimate", "draw", "together"):
        assert step in printed


def test_a_folder_with_broken_images(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("images").mkdir()
    for index in range(4):
        cv2.imwrite(f"images/{index}.png", picture(index))
    Path("images/1.png").write_bytes(b"")
    Path("images/2.png").write_text("no image")
    assert (
        main([*command, "images", "--results", "npz", "--mesh", "obj", "--confirm-frames=1"]) == 0
    )
    with np.load("out/results.npz") as arrays:
        assert arrays["frame_names"].tolist() == ["0", "3"]
        assert arrays["ids"].tolist() == [0, 0]
    assert sorted(path.name for path in Path("out/overlay").iterdir()) == ["0.png", "3.png"]
    assert {"0.obj", "3.obj"} <= {path.name for path in Path("out/mesh").iterdir()}
    warnings = capsys.readouterr().err
    assert "images/1.png must be an image file, got an empty one" in warnings
    assert "images/2.png must be an image file" in warnings


def test_images_that_differ_only_in_their_suffix(command: list[str], here: Path) -> None:
    Path("images").mkdir()
    for index, suffix in enumerate((".jpg", ".png")):
        cv2.imwrite(f"images/a{suffix}", picture(index))
    assert main([*command, "images", "--mesh", "obj", "--confirm-frames=1"]) == 0
    assert [line["name"] for line in lines_of(here / "out")] == ["a.jpg", "a.png"]
    overlays = sorted(path.name for path in Path("out/overlay").iterdir())
    assert overlays == ["a.jpg.png", "a.png.png"]
    assert {"a.jpg.obj", "a.png.obj"} <= {path.name for path in Path("out/mesh").iterdir()}


def test_a_video(command: list[str], here: Path) -> None:
    write_video(Path("video.mkv"), 6)
    assert main([*command, "video.mkv", "--mesh", "glb", "--mesh-frame", "2"]) == 0
    assert [line["stamp_ns"] for line in lines_of(here / "out")] == [i * 10**8 for i in range(6)]
    assert read_run_record(Path("out")) == RunRecord(str(here / "video.mkv"), complete=True)
    assert frames_of(Path("out/overlay.mp4")) == 6
    assert [path.name for path in Path("out/mesh").iterdir()] == ["000002.glb"]


def test_the_overlay_of_a_camera_lasts_as_long_as_what_it_saw(
    command: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A video at 10 Hz stands in for a camera, of whose images every third is processed."""
    write_video(Path("video.mkv"), 6)
    real, stamps_ns = cv2.VideoCapture, itertools.count(10**18, 300_000_000)
    monkeypatch.setattr(
        cv2, "VideoCapture", lambda name: real("video.mkv" if isinstance(name, int) else name)
    )
    monkeypatch.setattr(sources, "time", SimpleNamespace(time_ns=lambda: next(stamps_ns)))
    assert main([*command, "0"]) == 0
    assert len(lines_of(here / "out")) == 6
    assert frames_of(Path("out/overlay.mp4")) == 3 * 5 + 1
    assert read_run_record(Path("out")) == RunRecord("0", complete=True)


def test_a_limited_number_of_frames_without_overlay(command: list[str], here: Path) -> None:
    write_video(Path("video.mkv"), 6)
    assert main([*command, "video.mkv", "--frames", "3", "--no-overlay"]) == 0
    assert len(lines_of(here / "out")) == 3
    assert {path.name for path in (here / "out").iterdir()} == {"results.jsonl", "run.json"}
    assert read_run_record(Path("out")) == RunRecord(str(here / "video.mkv"), complete=False)


def test_results_of_a_truncated_video_are_kept(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(Path("video.mkv"), 20)
    content = Path("video.mkv").read_bytes()
    Path("video.mkv").write_bytes(content[: len(content) // 2])
    assert main([*command, "video.mkv"]) == 1
    captured = capsys.readouterr()
    assert "error: video.mkv must have 20 frames, got" in captured.err
    assert "together" in captured.out
    count = len(lines_of(here / "out"))
    assert 4 < count < 20
    assert read_run_record(Path("out")) == RunRecord(str(here / "video.mkv"), complete=False)
    assert frames_of(Path("out/overlay.mp4")) == count


def test_results_before_memory_runs_out_are_kept(
    command: list[str],
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_video(Path("video.mkv"), 6)
    run_out_after(monkeypatch, batches=3)
    assert main([*command, "video.mkv", "--backend", "plain", "--confirm-frames", "1"]) == 1
    captured = capsys.readouterr()
    assert f"error: {SENTENCE}\n" in captured.err
    assert "Traceback" not in captured.err
    assert "3 frames, results in out" in captured.out
    assert len(lines_of(here / "out")) == 3
    assert frames_of(Path("out/overlay.mp4")) == 3


def test_a_calibration_file_overrides_the_field_of_view(command: list[str], here: Path) -> None:
    cv2.imwrite("person.png", picture(0))
    small = CALIBRATION.replace("640", "64").replace("480", "48")
    Path("head.yaml").write_text(small)
    calibration = ["--camera-info", "head.yaml", "--rectified"]
    assert main([*command, "person.png", *calibration]) == 0
    camera = lines_of(here / "out")[0]["camera"]
    assert (camera["fx"], camera["lens"], camera["calibrated"]) == (450, "none", True)


FAULTS = {
    "missing file": (["missing.mp4"], "must be a file, a folder or a camera number"),
    "empty image": (["empty.png"], "must be an image file, got an empty one"),
    "no image": (["text.png"], "must be an image file, got something else"),
    "no video": (["text.mp4"], "must be a video that OpenCV can decode"),
    "empty folder": (["nothing"], "must hold images"),
    "no bag": (["text.mcap"], "must be a bag"),
    "no camera": (["97"], "camera 97 must be one that OpenCV can open"),
    "missing model": (["good.png", "--model", "missing.pt"], "got 'missing.pt'"),
    "no model": (["good.png", "--model", "text.png"], "text.png"),
    "missing body": (["good.png", "--body", "missing.npz"], "missing.npz"),
    "no body": (["good.png", "--body", "text.png"], "text.png"),
    "NaN calibration": (["good.png", "--camera-info", "nan.yaml"], "intrinsics must be finite"),
    "other size": (["good.png", "--camera-info", "large.yaml"], "calibrated for 640x480"),
    "one image moves": (["good.png", "--detector", "motion"], "needs a sequence, got one image"),
    "no detector file": (["good.png", "--detector", "onnx"], "the detector onnx needs a file"),
    "missing weights": (
        ["good.png", "--detector", "torchvision", "--detector-weights", "missing.pth"],
        "'person', 'motion' and 'full_image' need no file",
    ),
    "device": (["good.png", "--device", "cuda:9"], "needs a GPU"),
    "parameter": (["good.png", "--fov", "400"], "fov must lie between"),
    "mesh frame": (["good.png", "--mesh-frame", "0"], "add --mesh glb or --mesh obj"),
    "depth": (["good.png", "--use-depth"], "good.png must be a bag to have topics and depth"),
    "topic": (["good.png", "--depth-topic", "/depth"], "good.png must be a bag to have topics"),
    "output": (["good.png", "--output", "good.png"], "the output must be a folder"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_errors_are_one_sentence(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    cv2.imwrite("good.png", picture(0))
    Path("empty.png").write_bytes(b"")
    for name in ("text.png", "text.mp4", "text.mcap"):
        Path(name).write_text("neither image nor video nor bag" * 9)
    Path("nothing").mkdir()
    Path("nan.yaml").write_text(CALIBRATION.replace("500.0", ".nan"))
    Path("large.yaml").write_text(CALIBRATION)
    arguments, words = FAULTS[fault]
    assert main([*command, *arguments]) == 1
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert words in errors[0]
    assert "Traceback" not in captured.err


def test_a_body_that_does_not_fit(
    command: list[str],
    here: Path,
    body_file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cv2.imwrite("good.png", picture(0))
    with np.load(body_file) as arrays:
        cut = {
            name: array[:100] if len(array) == 6890 else array for name, array in arrays.items()
        }
    np.savez("cut.npz", **cut)
    assert main([*command, "good.png", "--body", "cut.npz"]) == 1
    assert "6890" in capsys.readouterr().err


def test_an_earlier_run_is_not_overwritten(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite("person.png", picture(0))
    assert main([*command, "person.png"]) == 0
    before = Path("out/results.jsonl").read_bytes()
    assert main([*command, "person.png"]) == 1
    assert "already holds results" in capsys.readouterr().err
    assert Path("out/results.jsonl").read_bytes() == before
    assert main([*command, "person.png", "--overwrite"]) == 0


def test_overwriting_removes_an_earlier_run_completely(command: list[str], here: Path) -> None:
    cv2.imwrite("person.png", picture(0))
    assert main([*command, "person.png", "--mesh", "obj"]) == 0
    Path("out/notes.txt").touch()
    earlier = {path.name for path in Path("out").iterdir()}
    assert earlier == {"results.jsonl", "run.json", "overlay.png", "mesh.obj", "notes.txt"}
    assert main([*command, "person.png", "--overwrite", "--results", "npz", "--no-overlay"]) == 0
    left = {path.name for path in Path("out").iterdir()}
    assert left == {"results.npz", "run.json", "notes.txt"}


@pytest.mark.parametrize("given", ["out/overlay", "out/overlay/1.png", "out"])
def test_images_of_an_earlier_run_are_no_input(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    Path("out/overlay").mkdir(parents=True)
    Path("out/results.jsonl").touch()
    kept = Path("out/overlay.png" if given == "out" else "out/overlay/1.png")
    cv2.imwrite(str(kept), picture(0))
    assert main([*command, given, "--overwrite"]) == 1
    assert "must not be a file that the run replaces, got" in capsys.readouterr().err
    assert kept.is_file()


def test_finding_nobody_is_reported(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(Path("video.mkv"), 3)
    assert main([*command, "video.mkv", "--detector", "motion"]) == 0
    assert "no people were found: the detector motion" in capsys.readouterr().err
    assert len(lines_of(here / "out")) == 3


def test_a_floor_that_no_pose_tells_is_reported(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(Path("video.mkv"), 2)
    shared = [*command, "video.mkv", "--use-floor", "--no-overlay"]
    assert main(shared) == 0
    words = "use_floor must come with the camera's pose in a fixed frame, got none"
    assert capsys.readouterr().err.count(words) == 1
    assert main([*shared, "--overwrite", "--floor-from-feet"]) == 0
    assert words not in capsys.readouterr().err


def test_sigterm_keeps_the_results_like_ctrl_c(command: list[str], here: Path) -> None:
    write_video(Path("video.mkv"), 2000)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "smpler_model", *command, "video.mkv"],
        cwd=here,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    results = here / "out" / "results.jsonl"
    deadline = time.monotonic() + 60
    while not (results.exists() and results.read_text().count("\n") > 3):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted after" in errors
    assert "Traceback" not in errors
    count = len(lines_of(here / "out"))
    assert 3 < count < 2000
    assert abs(frames_of(Path("out/overlay.mp4")) - count) <= 1


def fail_at(monkeypatch: pytest.MonkeyPatch, frames: set[int]) -> None:
    """Make the network fail, and then return non-finite values, at frames with these numbers."""
    estimate, calls = Estimator.estimate, iter(range(100))

    def fail(self: Estimator, crops: np.ndarray) -> Estimates:
        index = next(calls)
        if index in frames:
            raise RuntimeError("out of order")
        estimates = estimate(self, crops)
        if index - 1 in frames:
            estimates.betas[:] = np.nan
        return estimates

    break_after_self_check(monkeypatch, lambda: monkeypatch.setattr(Estimator, "estimate", fail))


def test_a_failing_frame_or_person_affects_no_other(
    command: list[str],
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_video(Path("video.mkv"), 6)
    fail_at(monkeypatch, {1, 4})
    assert main([*command, "video.mkv", "--confirm-frames=1"]) == 0
    lines = lines_of(here / "out")
    assert [line["index"] for line in lines] == [0, 2, 3, 5]
    assert [len(line["people"]) for line in lines] == [1, 0, 1, 0]
    assert frames_of(Path("out/overlay.mp4")) == 6
    warnings = capsys.readouterr().err
    assert "2 times in all: a frame was left out: RuntimeError: out of order" in warnings
    assert "2 times in all: a person was left out" in warnings


def test_a_failing_image_is_reported_and_sets_the_status(
    command: list[str],
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cv2.imwrite("person.png", picture(0))
    fail_at(monkeypatch, {0})
    assert main([*command, "person.png"]) == 1
    assert "a frame was left out: RuntimeError: out of order" in capsys.readouterr().err
