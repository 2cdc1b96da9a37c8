from pathlib import Path

import pytest

from tests.training.data.made_up_photos import PHOTOS, write_labels, write_photos
from training.data.backgrounds import find_backgrounds


def test_labels_tell_where_people_are(tmp_path: Path) -> None:
    write_photos(tmp_path)
    (tmp_path / "unlabelled.png").touch()
    photos = find_backgrounds([tmp_path]).photos
    assert len(photos) == PHOTOS
    assert all(photo.boxes_xyxy.tolist() == [[20, 10, 60, 70]] for photo in photos)


def test_without_labels_all_images_of_a_folder_count(tmp_path: Path) -> None:
    inner = tmp_path / "streets"
    inner.mkdir()
    for name in ("b.JPG", "a.png", "text.txt"):
        (inner / name).touch()
    photos = find_backgrounds([tmp_path]).photos
    assert [photo.path.name for photo in photos] == ["a.png", "b.JPG"]
    assert photos[0].boxes_xyxy.shape == (0, 4)


def test_labelled_photos_may_show_nobody(tmp_path: Path) -> None:
    write_labels(tmp_path, {"photos": [{"image": "street.png", "people": []}]})
    (photo,) = find_backgrounds([tmp_path]).photos
    assert photo.boxes_xyxy.shape == (0, 4)


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"got none in {tmp_path}"):
        find_backgrounds([tmp_path])
