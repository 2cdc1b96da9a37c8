"""The outputs of the command, and its errors where they cannot be written."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from smpler_model.commands.command_line import main
from smpler_model.drawing.video import count_images
from tests.bag_writer import camera_messages, write_bag
from tests.full_disk import room_for

pytestmark = pytest.mark.slow

SIZE = (320, 240)


def write_video(path: Path, rate_hz: float, count: int = 4) -> None:
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, SIZE)
    for _ in range(count):
        writer.write(rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8))
    writer.release()


@pytest.mark.parametrize("rate_hz", [90.0, 91.01, 66.667])
def test_fast_cameras_get_an_overlay(command: list[str], here: Path, rate_hz: float) -> None:
    write_video(Path("fast.avi"), rate_hz)
    assert main([*command, "fast.avi"]) == 0
    assert count_images(Path("out/overlay.mp4")) == 4


def test_a_full_disk_during_the_overlay_is_an_error(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(Path("in.avi"), 10, 8)
    with room_for(100_000):
        assert main([*command, "in.avi"]) == 1
    assert "out/overlay.mp4 must hold 8 images, got 0" in capsys.readouterr().err
    lines = Path("out/results.jsonl").read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(8))
    assert {path.name for path in Path("out").iterdir()} == {"results.jsonl", "run.json"}


@pytest.mark.parametrize("results", ["jsonl", "npz"])
def test_a_full_disk_during_the_results_is_an_error(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str], results: str
) -> None:
    write_video(Path("in.avi"), 10, 6)
    with room_for(6_000):
        assert main([*command, "in.avi", "--results", results, "--no-overlay"]) == 1
    assert f"File too large: 'out/results.{results}'" in capsys.readouterr().err
    whole = [path.read_text().splitlines() for path in Path("out").glob("results.*")]
    assert len(whole) == (results == "jsonl")
    for lines in whole:
        assert 0 < len([json.loads(line) for line in lines]) < 6


@pytest.mark.parametrize("given", ["--output", "--camera-info", "--params", "--body", "--model"])
def test_paths_that_are_not_utf_8_are_refused(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "in.avi", given, os.fsdecode(b"o\xff")])
    assert ended.value.code == 2
    assert "error: arguments must be UTF-8, got b'o\\xff'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "output"), [("overlay.mp4", "."), ("overlay", "."), ("mesh/overlay.png", "mesh")]
)
def test_the_input_is_not_overwritten(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str], given: str, output: str
) -> None:
    path = Path(given)
    path.parent.mkdir(exist_ok=True)
    if given.endswith(".mp4"):
        write_video(path, 10)
    else:
        image = path if path.suffix else path / "0.png"
        image.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(image), np.zeros((48, 64, 3), np.uint8))
    before = {file: file.read_bytes() for file in here.rglob("*") if file.is_file()}
    assert main([*command, given, "--output", output]) == 1
    assert "the input must not be a file that the run replaces" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in here.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("output", ["bag", "bag/out"])
def test_results_are_not_written_into_a_bag(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    write_bag(here, camera_messages(2))
    before = sorted(path.name for path in Path("bag").iterdir())
    assert main([*command, "bag", "--output", output]) == 1
    assert "must not be in the bag's folder" in capsys.readouterr().err
    assert sorted(path.name for path in Path("bag").iterdir()) == before


def test_each_bag_of_a_series_has_its_own_results(command: list[str], here: Path) -> None:
    plain = command[: command.index("--output")]
    for name in ("walk.1", "walk.2", "0001"):
        Path(name).mkdir()
        cv2.imwrite(f"{name}/0.png", np.zeros((48, 64, 3), np.uint8))
        assert main([*plain, name]) == 0
    found = sorted(path.name for path in here.glob("*_smpler"))
    assert found == ["0001_smpler", "walk.1_smpler", "walk.2_smpler"]
