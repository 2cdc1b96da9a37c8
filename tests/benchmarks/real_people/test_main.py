"""The command evaluates a model on a folder, and reports errors in one sentence."""

import json
import sys
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.real_people.__main__ import Report, main
from benchmarks.real_people.detection import score_detections
from benchmarks.real_people.estimation import Observer, Seen
from benchmarks.real_people.folder import FolderTruth, read_folder
from benchmarks.real_people.scoring import score_photos, score_video
from benchmarks.real_people.sheet import TILE_PX
from smpler_model.array_types import Floats
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.frames import Frame
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
    assert video is not None
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


class Forgetful(Observer):
    """Knows the truth of a folder, but for a few pixels or a scale, and overlooks some boxes."""

    def __init__(self, folder: FolderTruth, *, overlooked: Container[int]) -> None:
        self.folder, self.overlooked, self.boxes = folder, overlooked, 0

    def look(self, frame: Frame, boxes_xyxy: Floats) -> list[Seen | None]:
        return [self.look_into_box() for _ in boxes_xyxy]

    def look_into_box(self) -> Seen | None:
        self.boxes += 1
        if self.boxes in self.overlooked:
            return None
        true_m = self.folder.videos[0].joints_m[0]
        true_px = self.folder.photos[0].people[0].joints_px
        return Seen(true_m * (1 + self.boxes / 100), true_px + self.boxes)


def test_people_who_are_not_found_are_left_out_and_counted(tmp_path: Path) -> None:
    write_folder(tmp_path, Body(load_builtin_body()))
    folder = read_folder(tmp_path)
    (photo,), (video,) = folder.photos, folder.videos
    person = photo.people[0]
    folder = replace(folder, photos=(replace(photo, people=(person, person)),))
    report = Report(folder)
    report.take({"final": Forgetful(folder, overlooked=(1, 4))})
    report.write(tmp_path / "out")
    predictions = json.loads((tmp_path / "out" / "predictions.json").read_text())
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert predictions["photos"][PHOTO][0] is None
    assert list(predictions["videos"][VIDEO]) == ["0", "4"], "boxes 3 and 5"
    # By the formulas that come with the labels, written out.
    shares = np.full(12, np.hypot(2, 2)) / person.size_px
    assert figures["photos"] == {
        "people": 1,
        "expected": 2,
        "pck": [(shares < 0.1).mean(), (shares < 0.05).mean()],
        "mean_error": pytest.approx(shares.mean()),
    }
    mpjpe, hips = [], []
    for frame, answer in predictions["videos"][VIDEO].items():
        x, y = np.array(answer["joints_m"]), video.joints_m[int(frame)]
        x_hips, y_hips = x[6:8].mean(0), y[6:8].mean(0)
        mpjpe.append(1e3 * np.linalg.norm((x - x_hips) - (y - y_hips), axis=1).mean())
        hips.append(np.linalg.norm(x_hips - y_hips))
    assert figures[VIDEO]["mpjpe_mm"] == pytest.approx(np.mean(mpjpe), abs=0.1)
    assert figures[VIDEO]["hips_m"] == pytest.approx(np.median(hips), abs=1e-3)
    assert figures[VIDEO]["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-3), "scale alone differs"
    assert (figures[VIDEO]["frames"], figures[VIDEO]["expected"]) == (2, 3)
    assert report.lines[0].startswith("photos: 1 of 2 people")
    assert report.lines[1].startswith(f"{VIDEO}: 2 of 3 frames")


def test_a_model_that_finds_nobody_has_no_figures(tmp_path: Path) -> None:
    write_folder(tmp_path, Body(load_builtin_body()))
    folder = read_folder(tmp_path)
    report = Report(folder)
    report.take({name: Forgetful(folder, overlooked=range(100)) for name in ("a", "b")})
    report.write(tmp_path / "out")
    assert report.lines == ["photos: 0 of 1 people", f"{VIDEO}: 0 of 3 frames"]
    assert report.predictions["photos"] == {PHOTO: [None, None]}
    assert report.predictions["videos"] == {VIDEO: {}}
    nothing = {"photos": None, "videos": None}
    assert report.figures == {"stages": [{"name": name, **nothing} for name in ("a", "b")]}


@pytest.mark.slow
def test_what_cannot_be_measured_is_said_in_a_sentence(tmp_path: Path) -> None:
    with ForkedProgram("benchmarks.real_people", [str(tmp_path)]) as program:
        assert program.wait() == 1
    words = "error: a folder of labelled people must hold people.json"
    assert program.output.startswith(words)
    assert "Traceback" not in program.output
