"""The command labels a data set, continues interrupted runs, and needs no PyTorch."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from tests.training.data.labelling.test_agreement import labels_of, person
from training.data.labelling import ccp, lsp
from training.data.labelling.__main__ import main
from training.data.labelling.answers import Answers
from training.data.labelling.landmarks import LANDMARKS
from training.data.labelling.pose_network import POINTS
from training.data.prepare_photos import read_labels

ROOT = Path(__file__).parents[4]


class CropTeacher:
    """Predicts the made-up person upright in the middle of every crop."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()

    def __call__(self, crop: np.ndarray) -> Answers:
        answers = person()[0]
        points = np.zeros((POINTS, 2), np.float32)
        points[: len(LANDMARKS)] = answers.points_px + np.float32([27.5, 27.5])
        points[len(LANDMARKS) :] = (127.5, 127.5)
        points[len(LANDMARKS) + 1] = (127.5, 25.1)
        more = np.zeros(POINTS - len(LANDMARKS), np.float32)
        return Answers(
            answers.score,
            points,
            np.concatenate((answers.visibility, more)),
            np.concatenate((answers.points_m, np.zeros((len(more), 3), np.float32))),
            np.zeros(POINTS, np.float32),
        )


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a network that `CropTeacher` replaces."""
    path = tmp_path / "teacher.tflite"
    path.write_bytes(b"weights")
    for module in (lsp, ccp):
        monkeypatch.setattr(module, "PoseNetwork", CropTeacher)
    return path


def write_photos(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in names:
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (256, 256, 3), np.uint8))


def test_leeds_sports_pose(
    tmp_path: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "lsp"
    write_photos(folder / "images", [f"im{number:05d}.jpg" for number in range(1, 5)])
    labels = labels_of(person(4))
    savemat(folder / "joints.mat", {"joints": labels.transpose(1, 2, 0)})
    arguments = ["lsp", str(folder), "--teacher", str(teacher)]
    assert main([*arguments, "--first", "2"]) == 0
    first = (folder / "answers.npz").read_bytes()
    assert len(read_labels(folder / "people.json")) == 2
    assert main(arguments) == 0
    assert (folder / "answers.npz").read_bytes() != first
    assert capsys.readouterr().out.endswith(
        "people.json: 4 people, 4 of them with joints in metres\n"
    )
    photos = read_labels(folder / "people.json")
    assert [photo.image.is_file() for photo in photos] == [True] * 4
    head = slice(12, 14)  # which the teacher does not change
    np.testing.assert_allclose(photos[0].people[0].keypoints[head], labels[0, head], atol=0.06)


def test_clothing_co_parsing(
    tmp_path: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "ccp"
    write_photos(folder / "photos", ["0002.jpg", "0001.jpg"])
    arguments = ["ccp", str(folder), "--teacher", str(teacher), "--second", str(teacher)]
    assert main(arguments) == 0
    told = f"{folder / 'people.json'}: 2 people, 2 of them with joints in metres\n"
    assert capsys.readouterr().out == told
    before = json.loads((folder / "people.json").read_text())
    assert [photo["image"] for photo in before["photos"]] == ["photos/0001.jpg", "photos/0002.jpg"]
    assert main(arguments) == 0
    assert json.loads((folder / "people.json").read_text()) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lsp", "{}", "--teacher", "{}/none.tflite"], "must have a joints.mat, got no "),
        (["lsp", "{}", "--teacher", "{}/none.tflite", "--first", "0"], "--first must be at least"),
        (
            ["ccp", "{}", "--teacher", "{}/a.tflite", "--second", "{}/b.tflite"],
            "photos must be JPEG files in ",
        ),
    ],
)
def test_errors_are_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    assert main([word.format(tmp_path) for word in arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert sentence in line
    assert not list(tmp_path.iterdir())


def test_a_broken_photo_is_named_and_the_others_are_kept(
    tmp_path: Path, teacher: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "ccp"
    write_photos(folder / "photos", ["1.jpg", "2.jpg"])
    (folder / "photos" / "2.jpg").write_bytes(b"text")
    arguments = ["ccp", str(folder), "--teacher", str(teacher), "--second", str(teacher)]
    assert main(arguments) == 1
    assert "2.jpg must be an image file" in capsys.readouterr().err
    with np.load(folder / "answers.npz") as archive:
        assert archive["names"].tolist() == ["photos/1.jpg"]
    assert not (folder / "people.json").exists()


def test_neither_pytorch_nor_ros_is_needed() -> None:
    code = """
import sys
for name in ("torch", "torchvision", "rosbags", "yaml", "ai_edge_litert"):
    sys.modules[name] = None
import training.data.labelling.__main__
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
