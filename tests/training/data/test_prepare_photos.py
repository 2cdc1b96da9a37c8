"""Photos and labels become squares around people, with the labels in them."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from training.data.photo_files import PHOTO_JOINTS, STORED_MARGIN, PhotoFiles
from training.data.prepare_photos import prepare, read_labels, split_of
from tests.training.data.made_up_photos import PHOTOS, SIDE, write_labels, write_photos

ROOT = Path(__file__).parents[3]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "training.data.prepare_photos", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prepares_both_splits(tmp_path: Path) -> None:
    labels = write_photos(tmp_path)
    done = run(labels, tmp_path / "out", "--validation-share", "0.3", "--side", str(SIDE))
    assert done.returncode == 0, done.stderr
    splits = [PhotoFiles(tmp_path / "out", split) for split in ("train", "validation")]
    assert sum(map(len, splits)) == PHOTOS
    told = f"{len(splits[0])} people to train, {len(splits[1])} people to validation"
    assert done.stdout.endswith(f": {told}\n")
    names = [set(split.stored.names.tolist()) for split in splits]
    assert not names[0] & names[1]


def test_a_marked_pixel_lies_where_its_joint_is(tmp_path: Path) -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[60, 40] = image[61, 40] = image[60, 41] = image[61, 41] = (0, 0, 255)  # BGR
    cv2.imwrite(str(tmp_path / "a.png"), image)
    person = {"box_xyxy": [20, 30, 70, 80], "joints_px": [[40.5, 60.5, 1.0]]}
    content = {
        "joints": ["left_knee"],
        "photos": [
            {"image": "a.png", "people": [person]},
            {"image": "a.png", "people": [person]},
        ],
    }
    photos = read_labels(write_labels(tmp_path, content))
    names = iter(["train.png", "validation.png"])
    assert {split_of(f"{n}.png", 0.5) for n in range(9)} == {"train", "validation"}
    del names
    train = [photo for photo in photos]
    chosen = 0.5 if split_of("a.png", 0.5) == "train" else 0.0
    with pytest.raises(ValueError, match="photos must be left for"):
        prepare(train, tmp_path / "out", chosen)
