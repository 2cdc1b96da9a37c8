"""The command evaluates a model on a folder, and reports errors in one sentence."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.real_people.__main__ import main
from benchmarks.real_people.detection import score_detections
from benchmarks.real_people.folder import read_folder
from benchmarks.real_people.scoring import score_photos, score_video
from benchmarks.real_people.sheet import TILE_PX
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from tests.benchmarks.real_people.made_up import CAMERA, PHOTO, VIDEO, write_folder
from tests.forked import ForkedProgram


@pytest.mark.slow
def test_a_folder_is_measured(
    tmp_path: Path,
    nano_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_folder(tmp_path, Body(load_builtin_body()))
    output = tmp_path / "out"
    given = [tmp_path, "--model", nano_file, "--output", output, "--detector", "full_image"]
    given.append("--stages")
    monkeypatch.setattr(sys, "argv", ["real_people", *map(str, given)])
    assert main() == 0
    printed = capsys.readouterr().out.splitlines()
    predictions = json.loads((output / "predictions.json").read_text())
    folder = read_folder(tmp_path)
    found_px = {PHOTO: np.array(predictions["photos"][PHOTO])}
    assert found_px[PHOTO].shape == (2, 12, 2)
    frames = predictions["videos"][VIDEO]
    assert list(frames) == ["0", "2", "4"]
    found_m = {int(number): np.array(frame["joints_m"]) for number, frame in frames.items()}
    photos, video = score_photos(folder.photos, found_px), score_video(folder.videos[0], found_m)
    assert photos is not None
    found = {PHOTO: np.array(predictions["detections"][PHOTO])}
    assert found[PHOTO].tolist() == [[0, 0, CAMERA.width - 1, CAMERA.height - 1]]
    detections = score_detections(folder.photos, found).line("full_image")
    assert printed[:3] == [detections, photos.line("photos"), video.line(VIDEO)]
    figures = json.loads((output / "figures.json").read_text())
    assert figures["photos"]["pck"] == list(photos.pck)
    assert figures["videos"]["mpjpe_mm"] == pytest.approx(video.mpjpe_mm, abs=0.1)
    stages = figures["stages"]
    names = ["first guess", "block 1", "block 2", "alignment"]
    assert [stage["name"] for stage in stages] == names
    for part in ("photos", "videos"):
        assert stages[-1][part] == figures[part]
        assert stages[-1][part] != stages[0][part]
        assert [line for line in printed if f"   {part}: " in line] == [
            line for line in printed if line.startswith(tuple(f"{n}   {part}" for n in names))
        ]
    assert len(printed) == 4 + 2 * len(names)
    sheet = cv2.imread(str(output / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (2 * TILE_PX, 6 * TILE_PX, 3)  # 3 of the photo, 3 times 2 of the video


@pytest.mark.slow
def test_what_cannot_be_measured_is_said_in_a_sentence(tmp_path: Path) -> None:
    with ForkedProgram("benchmarks.real_people", [str(tmp_path)]) as program:
        assert program.wait() == 1
    words = "error: a folder of labelled people must hold people.json"
    assert program.output.startswith(words)
    assert "Traceback" not in program.output
