"""Which photos a user has for behind drawn people, and where people are in them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from smpler_model.sources import IMAGE_SUFFIXES
from synthetic.world.photos import ScenePhoto, ScenePhotos
from training.data.prepare_photos import read_labels


def find_backgrounds(folders: Sequence[Path]) -> ScenePhotos:
    """Find the photos in folders.

    JSON files right in a folder are labels in the form that `prepare_photos` reads: its photos are
    those labelled, and where people are is known. Without such files all images at any depth are.

    Raises:
        FileNotFoundError: a folder has no photos.
        ValueError: a JSON file in it is none of labels.
    """
    photos: list[ScenePhoto] = []
    for folder in folders:
        found = _read_labelled(folder) or [
            ScenePhoto(path, np.zeros((0, 4)))
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in IMAGE_SUFFIXES
        ]
        if not found:
            raise FileNotFoundError(
                f"backgrounds must be folders of photos, got none in {folder}; check the path"
            )
        photos += found
    return ScenePhotos(photos)


def _read_labelled(folder: Path) -> list[ScenePhoto]:
    return [
        ScenePhoto(photo.image, np.array([person.box_xyxy for person in photo.people]))
        for path in sorted(folder.glob("*.json"))
        for photo in read_labels(path)
    ]
