"""The JSON file of labels that `training.data.prepare_photos` reads."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smpler_model.array_types import Floats
from smpler_model.atomic_files import write_text_atomically
from training.data.labelling.landmarks import JOINTS


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo of one person.

    Attributes:
        image: path of the photo, relative to the file of labels.
        box_xyxy: (4,) pixels.
        keypoints: (19, 3) pixels and confidence of `JOINTS`.
        joints: (19, 4) metres relative to the hips' midpoint and confidence; None if unknown.
    """

    image: str
    box_xyxy: Floats
    keypoints: Floats
    joints: Floats | None


def write_people(path: Path, photos: Sequence[LabelledPhoto]) -> None:
    """Write labels; pixels to a tenth, metres to a tenth of a millimetre.

    Raises:
        OSError: the file cannot be written.
    """
    content = {
        "joints": list(JOINTS),
        "photos": [{"image": photo.image, "people": [_person(photo)]} for photo in photos],
    }
    write_text_atomically(path, json.dumps(content))


def _person(photo: LabelledPhoto) -> dict[str, Any]:
    person = {
        "box_xyxy": photo.box_xyxy.round(1).tolist(),
        "joints_px": _rounded(photo.keypoints, 1),
    }
    if photo.joints is not None:
        person["joints_m"] = _rounded(photo.joints, 4)
    return person


def _rounded(rows: Floats, digits: int) -> list[list[float]]:
    """Round all columns but the last, the confidence."""
    return [[*row[:-1].round(digits).tolist(), float(row[-1])] for row in rows]
