"""Prepare photos of people for training: `python -m training.data.prepare_photos LABELS FOLDER`.

LABELS is a JSON file next to the photos:

- `joints`: names among `photo_files.PHOTO_JOINTS`, in the order of the labels.
- `photos`: each has its `image`, relative to the JSON file, and `people`, each with `box_xyxy` in
  pixels, `joints_px` (x, y and confidence from 0 to 1 of each joint, 0 if it is not labelled) and,
  if available, `joints_m` (x, y, z in metres and confidence; x right, y down, z forward, in the
  frame of a camera that looks at the person).

Several such files may be given. Photos are assigned to training or validation by a hash of their
names, so that the assignment does not change when photos are added.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from smpler_model.array_types import Floats
from smpler_model.atomic_files import write_atomically
from smpler_model.cameras.crops import cut_crops
from smpler_model.hashes import is_in_share
from smpler_model.sources import read_image
from training.data.photo_files import PHOTO_HIPS, PHOTO_JOINTS, SPLITS, STORED_MARGIN, split_paths

SIDE_PX = 192


@dataclass(frozen=True)
class PersonLabels:
    """A person in a photo.

    Attributes:
        box_xyxy: (4,) pixels.
        keypoints: (19, 3) pixels and confidence, in the order of `PHOTO_JOINTS`.
        joints: (19, 4) metres relative to the hips' midpoint, and confidence.
    """

    box_xyxy: Floats
    keypoints: Floats
    joints: Floats


@dataclass(frozen=True)
class PhotoLabels:
    """A photo and the people labelled in it."""

    image: Path
    people: tuple[PersonLabels, ...]

    @property
    def boxes_xyxy(self) -> Floats:
        """(n, 4) boxes of the people, pixels."""
        return np.array([person.box_xyxy for person in self.people]).reshape(-1, 4)


def read_labels(path: Path) -> list[PhotoLabels]:
    """Read a file of labels; the photos are not opened.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has another format.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"labels must be a JSON file, got {path}; give that of a folder of labelled photos"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = _rows_of(content["joints"])
        return [
            PhotoLabels(
                path.parent / photo["image"],
                tuple(_person_from(person, rows) for person in photo["people"]),
            )
            for photo in content["photos"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"{path} must hold labels as training/data/prepare_photos.py describes, got {reason}"
        ) from None


def prepare(
    photos: Sequence[PhotoLabels], folder: Path, validation_share: float, side: int = SIDE_PX
) -> dict[str, int]:
    """Cut people out of photos, and write both splits.

    Args:
        photos: photos with people.
        folder: folder for the files; created if missing.
        validation_share: fraction of the photos that are excluded from training.
        side: side of the stored squares, pixels.

    Returns:
        The number of people in each split.

    Raises:
        ValueError: a split would be empty, or a photo cannot be read.
    """
    chosen = {
        split: [photo for photo in photos if split_of(photo.image.name, validation_share) == split]
        for split in SPLITS
    }
    counts = {split: sum(len(p.people) for p in part) for split, part in chosen.items()}
    empty = [split for split, count in counts.items() if not count]
    if empty:
        raise ValueError(
            f"photos must remain for {empty[0]}, got none of {len(photos)}; give more photos or "
            f"another validation share than {validation_share:g}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in chosen.items():
        _write_split(part, counts[split], folder, split, side)
    return counts


def split_of(name: str, validation_share: float) -> str:
    """Return the split of a photo, by its name."""
    return SPLITS[is_in_share(name, validation_share)]


def _rows_of(names: Sequence[str]) -> list[int]:
    unknown = [name for name in names if name not in PHOTO_JOINTS]
    if unknown:
        raise ValueError(f"the joint '{unknown[0]}' that is none of {', '.join(PHOTO_JOINTS)}")
    return [PHOTO_JOINTS.index(name) for name in names]


def _person_from(content: dict[str, Any], rows: list[int]) -> PersonLabels:
    keypoints = np.zeros((len(PHOTO_JOINTS), 3))
    joints = np.zeros((len(PHOTO_JOINTS), 4))
    keypoints[rows] = np.array(content["joints_px"], np.float64).reshape(len(rows), 3)
    if "joints_m" in content:
        joints[rows] = np.array(content["joints_m"], np.float64).reshape(len(rows), 4)
        if not joints[PHOTO_HIPS, :3].any(1).all():  # nothing that they could be relative to
            joints[:, 3] = 0
        joints[:, :3] -= joints[PHOTO_HIPS, :3].mean(0)
        joints[joints[:, 3] == 0] = 0
    box = np.array(content["box_xyxy"], np.float64).reshape(4)
    values = np.concatenate((keypoints.ravel(), joints.ravel(), box))
    if not np.isfinite(values).all() or not (box[2:] > box[:2]).all():
        raise ValueError(f"a box {box.tolist()} or joints that are not finite numbers")
    return PersonLabels(box, keypoints, joints)


def _write_split(
    photos: Sequence[PhotoLabels], count: int, folder: Path, split: str, side: int
) -> None:
    images_path, labels_path = split_paths(folder, split)
    keypoints, joints, names = [], [], []

    def write_images(file: IO[bytes]) -> None:
        shape = (count, side, side, 3)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for name, person, pixels, points in _cut_people(photos, side, split):
            file.write(pixels.tobytes())
            keypoints.append(np.column_stack((points, person.keypoints[:, 2])))
            joints.append(person.joints)
            names.append(name)

    write_atomically(images_path, write_images)
    write_atomically(
        labels_path,
        lambda file: np.savez(
            file,
            keypoints=np.array(keypoints, np.float32),
            joints=np.array(joints, np.float32),
            names=np.array(names),
        ),
    )


def _cut_people(
    photos: Sequence[PhotoLabels], side: int, split: str
) -> Iterator[tuple[str, PersonLabels, NDArray[np.uint8], Floats]]:
    """Yield each person's photo, labels, square, and joints in it, [-1, 1]."""
    for photo in tqdm(photos, desc=split):
        if not photo.people:
            continue
        boxes = photo.boxes_xyxy
        crops = cut_crops(read_image(photo.image), boxes, side, margin=STORED_MARGIN)
        pixels = np.array([person.keypoints[:, :2] for person in photo.people])
        points = crops.crop_from_image(pixels.reshape(len(boxes), -1, 2))
        for row, person in enumerate(photo.people):
            known = person.keypoints[:, 2:] > 0
            yield photo.image.name, person, crops.pixels[row], np.where(known, points[row], 0)


def main() -> int:
    """Parse the command line and prepare; return 1 after an error, which is one sentence."""
    parser = argparse.ArgumentParser(description="Prepare photos of people for training.")
    parser.add_argument("labels", nargs="+", type=Path, help="JSON files, next to their photos")
    parser.add_argument("folder", type=Path, help="folder for the prepared files")
    parser.add_argument("--validation-share", type=float, default=0.05)
    parser.add_argument("--side", type=int, default=SIDE_PX, help="side of the squares, pixels")
    chosen = parser.parse_args()
    try:
        photos = [photo for path in chosen.labels for photo in read_labels(path)]
        counts = prepare(photos, chosen.folder, chosen.validation_share, chosen.side)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    told = ", ".join(f"{count} people to {split}" for split, count in counts.items())
    sys.stdout.write(f"{chosen.folder}: {told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
