"""Photos and labels become squares around people with labels."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.training.data.made_up_photos import PHOTOS, SIDE, write_labels, write_photos
from training.data.photo_files import PHOTO_JOINTS, SPLITS, STORED_MARGIN, PhotoFiles
from training.data.prepare_photos import main, prepare, read_labels, split_of

ROOT = Path(__file__).parents[3]


def test_the_command_prepares_both_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = write_photos(tmp_path)
    given = [labels, tmp_path / "out", "--validation-share", 0.3, "--side", SIDE]
    monkeypatch.setattr(sys, "argv", ["prepare_photos", *map(str, given)])
    assert main() == 0
    splits = [PhotoFiles(tmp_path / "out", split) for split in ("train", "validation")]
    assert sum(map(len, splits)) == PHOTOS
    told = f"{len(splits[0])} people to train, {len(splits[1])} people to validation"
    assert capsys.readouterr().out.endswith(f": {told}\n")
    names = [set(split.stored.names.tolist()) for split in splits]
    assert not names[0] & names[1]


def names_of(split: str, count: int) -> list[str]:
    """Names of photos that belong to a split."""
    every = (f"{number}.png" for number in range(100))
    return [name for name in every if split_of(name, 0.5) == split][:count]


def test_a_bright_spot_lies_where_its_joint_is(tmp_path: Path) -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[58:63, 38:43] = (0, 0, 255)  # blue, green, red
    photos = []
    for split in SPLITS:
        (name,) = names_of(split, 1)
        cv2.imwrite(str(tmp_path / name), image)
        person = {"box_xyxy": [20, 30, 70, 80], "joints_px": [[40, 60, 1], [0, 0, 0]]}
        photos.append({"image": name, "people": [person]})
    content = {"joints": ["left_knee", "nose"], "photos": photos}
    prepare(read_labels(write_labels(tmp_path, content)), tmp_path / "out", 0.5, SIDE)
    stored = PhotoFiles(tmp_path / "out", "train").stored
    knee, nose = (PHOTO_JOINTS.index(name) for name in ("left_knee", "nose"))
    # The square is 75 pixels wide around (45, 55).
    np.testing.assert_allclose(
        stored.keypoints[0, knee], [-5 / (50 * STORED_MARGIN / 2), 5 / 37.5, 1], rtol=1e-6
    )
    assert not stored.keypoints[0, nose].any()
    rows, columns = np.nonzero(stored.images[0, :, :, 0] > 128)
    spot = np.array([columns.mean(), rows.mean()])
    np.testing.assert_allclose((2 * spot + 1) / SIDE - 1, stored.keypoints[0, knee, :2], atol=0.03)
    assert not stored.joints.any()


def test_joints_in_space_are_relative_to_the_hips(tmp_path: Path) -> None:
    prepare(read_labels(write_photos(tmp_path)), tmp_path / "out", 0.3, SIDE)
    joints = PhotoFiles(tmp_path / "out", "train").stored.joints
    hips = [PHOTO_JOINTS.index(name) for name in ("left_hip", "right_hip")]
    known = joints[..., 3].any(1)
    assert 0 < known.sum() < len(known)
    np.testing.assert_allclose(joints[:, hips, :3].mean(1), 0, atol=1e-6)


def test_joints_in_space_without_hips_are_unknown(tmp_path: Path) -> None:
    names = ["left_hip", "right_hip", "left_knee"]
    pixels = [[30.0, 30, 1], [40, 30, 1], [35, 50, 1]]
    people = [
        {"box_xyxy": [20, 10, 60, 70], "joints_px": pixels, "joints_m": [hip, *others]}
        for hip, others in (
            ([0.1, 0, 3.0, 1], [[-0.1, 0, 3.0, 1], [0.1, 0.4, 3.0, 1]]),
            ([0.0, 0, 0.0, 0], [[-0.1, 0, 3.0, 1], [0.1, 0.4, 3.0, 1]]),
        )
    ]
    content = {"joints": names, "photos": [{"image": "a.png", "people": people}]}
    (photo,) = read_labels(write_labels(tmp_path, content))
    whole, lacking = photo.people
    knee = PHOTO_JOINTS.index("left_knee")
    np.testing.assert_allclose(whole.joints[knee], [0.1, 0.4, 0, 1], atol=1e-9)
    assert not lacking.joints.any()


def test_photos_without_people_are_left_out(tmp_path: Path) -> None:
    labels = write_photos(tmp_path)
    content = json.loads(labels.read_text())
    content["photos"][0]["people"] = []
    counts = prepare(read_labels(write_labels(tmp_path, content)), tmp_path / "out", 0.3, SIDE)
    assert sum(counts.values()) == PHOTOS - 1
    assert sum(len(PhotoFiles(tmp_path / "out", split)) for split in SPLITS) == PHOTOS - 1


def test_a_photo_keeps_its_split_when_others_are_added() -> None:
    few, many = ([split_of(f"{n}.png", 0.1) for n in range(count)] for count in (20, 500))
    assert many[:20] == few
    assert 0.05 < many.count("validation") / len(many) < 0.15


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"photos": [{"image": "a.png"}]}, "no 'people'"),
        ({"joints": ["left_wing"], "photos": []}, "the joint 'left_wing' that is none of"),
        (
            {
                "joints": ["nose"],
                "photos": [
                    {
                        "image": "a.png",
                        "people": [{"box_xyxy": [5, 5, 5, 9], "joints_px": [[0, 0, 1]]}],
                    }
                ],
            },
            "a box",
        ),
    ],
    ids=["a photo without people", "an unknown joint", "an empty box"],
)
def test_labels_in_another_format_are_refused(
    tmp_path: Path, content: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        read_labels(write_labels(tmp_path, content))


@pytest.mark.slow
def test_an_empty_split_is_refused_in_a_sentence(tmp_path: Path) -> None:
    labels = write_photos(tmp_path, 2)
    given = [labels, tmp_path / "out", "--validation-share", 0]
    command = [sys.executable, "-m", "training.data.prepare_photos", *map(str, given)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: photos must remain for validation")
    assert "Traceback" not in done.stderr
