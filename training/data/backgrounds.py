"""Finds the user's photos for backgrounds, and the people in them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from smpler_model.sources import IMAGE_SUFFIXES
from synthetic.world.photos import ScenePhoto, ScenePhotos
from training.data.prepare_photos import read_labels


def find_backgrounds(folders: Sequence[Path]) -> ScenePhotos:
    """Find the photos in folders.

    JSON files directly in a folder are labels in the format of `prepare_photos`: its photos are
    the labelled ones, with known people. Without such files, all images at any depth are used.

    Raises:
        FileNotFoundError: a folder has no photos.
        ValueError: a JSON file in it has no labels.
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
                f"backgrounds must be folders of photos, got none in {folder}; name "
                "another folder, or put photos there"
            )
        photos += found
    return ScenePhotos(photos)


def _read_labelled(folder: Path) -> list[ScenePhoto]:
    return [
        ScenePhoto(photo.image, photo.boxes_xyxy)
        for path in sorted(folder.glob("*.json"))
        for photo in read_labels(path)
    ]
