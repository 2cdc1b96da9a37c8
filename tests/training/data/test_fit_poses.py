import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from smpler_model.body.smpl import Body
from synthetic.people.gestures import JOINT
from synthetic.people.poses import draw_poses
from synthetic.people.recorded import RecordedPoses
from tests.training.data.made_up_motion import write_motion
from training.data import fit_poses
from training.data.photo_files import BODY_ROWS, PHOTO_JOINTS, split_paths

PEOPLE = 5


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["fit_poses", *map(str, arguments)])
    return fit_poses.main()


def write_photos(folder: Path, body: Body) -> torch.Tensor:
    """Write prepared photos of people whose joints are those of poses, and return the poses."""
    poses = draw_poses(PEOPLE, torch.Generator().manual_seed(3))
    joints = body.joints(poses, torch.zeros(PEOPLE, 10)).numpy()
    labels = np.zeros((PEOPLE + 1, len(PHOTO_JOINTS), 4), np.float32)  # of the last nothing
    known = [row for row, at in enumerate(BODY_ROWS) if at < len(JOINT)]
    labels[:PEOPLE, known, :3] = joints[:, [BODY_ROWS[row] for row in known]] * (1, -1, -1)
    labels[:PEOPLE, known, 3] = 1
    images, path = split_paths(folder, "train")
    np.save(images, np.zeros((PEOPLE + 1, 4, 4, 3), np.uint8))
    np.savez(
        path,
        keypoints=np.zeros((PEOPLE + 1, len(PHOTO_JOINTS), 3), np.float32),
        joints=labels,
        names=np.array(["photo"] * (PEOPLE + 1)),
    )
    return poses


def test_photos_become_poses(
    body: Body,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    poses = write_photos(tmp_path, body)
    assert run(monkeypatch, tmp_path, tmp_path / "poses" / "photos.npz") == 0
    told = re.search(
        rf"{PEOPLE} of {PEOPLE} poses, with a mean error of ([\d.]+) mm", capsys.readouterr().out
    )
    assert told is not None
    assert 0 < float(told[1]) < 15
    fitted = RecordedPoses(tmp_path / "poses").rotations
    shape = torch.zeros(PEOPLE, 10)
    given, found = (body.joints(each, shape) for each in (poses, fitted))
    off = (given - given[:, :1] - found + found[:, :1]).norm(dim=2)
    assert off.mean() < 0.03


def test_motion_becomes_poses(body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two poses a second for two seconds: a T pose, then the left arm forward."""
    motions = tmp_path / "motions" / "13"
    motions.mkdir(parents=True)
    write_motion(motions / "13_01.bvh")
    assert run(monkeypatch, motions.parent, tmp_path / "motion.npz") == 0
    rotations = RecordedPoses(tmp_path).rotations
    assert len(rotations) == 4
    joints = body.joints(rotations, torch.zeros(4, 10))
    arm = joints[:, JOINT["left_wrist"]] - joints[:, JOINT["left_shoulder"]]
    arm = arm / arm.norm(dim=1, keepdim=True)
    expected = torch.tensor([[1.0, 0, 0]] * 2 + [[0.0, 0, 1]] * 2)
    assert ((arm * expected).sum(1) > 0.97).all()


def test_skeletons_without_limbs_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_motion(tmp_path / "walk.bvh")
    path.write_text(path.read_text().replace("LeftForeArm", "tentacle"))
    assert run(monkeypatch, tmp_path, tmp_path / "motion.npz") == 1
    assert "got no left_elbow among Hips" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("poses.txt",), "must be an .npz file, got"),
        (("poses.npz", "--rate-hz", "0"), "--rate-hz must be positive, got 0"),
        (("poses.npz",), "photos must have been prepared"),
    ],
)
def test_errors_are_one_sentence(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, tmp_path, tmp_path / arguments[0], *arguments[1:]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
