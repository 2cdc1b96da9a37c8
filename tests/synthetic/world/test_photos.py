from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from synthetic.world.photos import ScenePhoto, ScenePhotos

HEIGHT, WIDTH, PERSON_TO = 120, 200, 80  # the person fills the left


@pytest.fixture
def photo(tmp_path: Path) -> ScenePhoto:
    """A green place with a red person."""
    bgr = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    bgr[:, :PERSON_TO, 2], bgr[:, PERSON_TO:, 1] = 255, 200
    path = tmp_path / "place.png"
    cv2.imwrite(str(path), bgr)
    return ScenePhoto(path, np.array([[0.0, 0.0, PERSON_TO, HEIGHT]]))


def test_windows_show_the_place_and_not_the_person(photo: ScenePhoto) -> None:
    light = ScenePhotos([photo]).draw(12, 32, torch.Generator().manual_seed(0))
    red, green, blue = light.mean((2, 3)).T
    assert (green > 0.2).all()
    assert red.max() < 0.1
    assert blue.max() == 0


def test_windows_differ_and_follow_the_seed(photo: ScenePhoto) -> None:
    photos = ScenePhotos([photo])
    first, again = (photos.draw(3, 32, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])


def test_a_photo_smaller_than_the_windows_is_shown_whole(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    cv2.imwrite(str(path), np.full((20, 30, 3), 255, np.uint8))
    photos = ScenePhotos([ScenePhoto(path, np.zeros((0, 4)))])
    assert photos.draw(1, 64, torch.Generator().manual_seed(0)).min() > 0.6


def test_what_is_no_photo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got none"):
        ScenePhotos([])
    (tmp_path / "text.jpg").write_text("no image")
    photos = ScenePhotos([ScenePhoto(tmp_path / "text.jpg", np.zeros((0, 4)))])
    with pytest.raises(ValueError, match=r"text\.jpg unreadable"):
        photos.draw(1, 32, torch.Generator())


def test_photos_full_of_people_give_way_to_others(photo: ScenePhoto, tmp_path: Path) -> None:
    path = tmp_path / "crowd.png"
    cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    crowd = ScenePhoto(path, np.array([[0.0, 0.0, WIDTH, HEIGHT]]))
    light = ScenePhotos([photo, crowd]).draw(40, 16, torch.Generator().manual_seed(0))
    assert (light[:, 2].mean((1, 2)) > 0.5).float().mean() < 0.2  # the crowd is white
