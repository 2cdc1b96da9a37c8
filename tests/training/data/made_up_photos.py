"""A few photos of noise with labels, also prepared for training."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.data.photo_files import PHOTO_JOINTS
from training.data.prepare_photos import prepare, read_labels

SIZE = (80, 120)  # height and width
PHOTOS = 12
SIDE = 48


def write_photos(folder: Path, count: int = PHOTOS) -> Path:
    """Write photos and their labels, and return the file of labels.

    Joints are within the box; those of every second photo are also labelled in space.
    """
    rng = np.random.default_rng(0)
    photos = []
    for number in range(count):
        name = f"{number:03d}.png"
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (*SIZE, 3), np.uint8))
        box = np.array([20.0, 10.0, 60.0, 70.0])
        inside = box[:2] + rng.random((len(PHOTO_JOINTS), 2)) * (box[2:] - box[:2])
        person: dict[str, Any] = {
            "box_xyxy": box.tolist(),
            "joints_px": np.column_stack((inside, np.ones(len(inside)))).tolist(),
        }
        if number % 2 == 0:
            metres = rng.normal(0, 0.3, (len(PHOTO_JOINTS), 3))
            person["joints_m"] = np.column_stack((metres, np.ones(len(metres)))).tolist()
        photos.append({"image": name, "people": [person]})
    return write_labels(folder, {"photos": photos})


def write_labels(folder: Path, content: dict[str, Any]) -> Path:
    """Write a file of labels, for all joints unless the content names others."""
    path = folder / "labels.json"
    path.write_text(json.dumps({"joints": list(PHOTO_JOINTS), **content}))
    return path


def prepare_photos(folder: Path) -> Path:
    """Write photos and prepare them; return the folder of the prepared ones."""
    prepared = folder / "prepared"
    prepare(read_labels(write_photos(folder)), prepared, 0.3, SIDE)
    return prepared
