"""A folder of labelled people is read completely, or refused in a sentence."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.real_people.folder import read_folder
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from tests.benchmarks.real_people.made_up import (
    CAMERA,
    PHOTO,
    VIDEO,
    photo_of,
    video_of,
    write_folder,
    write_people,
)
from tests.benchmarks.seen_person import see


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    _, truth = write_folder(tmp_path, Body(load_builtin_body()))
    folder = read_folder(tmp_path)
    photo, video = folder.photos[0], folder.videos[0]
    assert (photo.image, photo.shows_everybody, len(photo.people)) == (PHOTO, True, 2)
    person, nobody = photo.people
    assert (person.is_scored, nobody.is_scored) == (True, False)
    assert person.labelled.all()
    assert not nobody.labelled.any()
    assert (nobody.size_px, photo.boxes_xyxy.shape) == (90, (2, 4))
    assert (video.video, video.camera, list(video.scored_frames)) == (VIDEO, CAMERA, [0, 2, 4])
    np.testing.assert_allclose(video.boxes_xyxy[4], truth.visible_boxes_xyxy[0])


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must hold people\.json"):
        read_folder(tmp_path)


def test_so_is_one_that_misses_a_file(tmp_path: Path) -> None:
    write_folder(tmp_path, Body(load_builtin_body()))
    (tmp_path / VIDEO).unlink()
    with pytest.raises(FileNotFoundError, match=r"must name existing files, got video\.avi"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"joints": ["nose"]}, "the joints nose instead of left_shoulder"),
        ({"photos": [{"image": PHOTO}]}, "no 'people'"),
        ({"videos": [{"video": VIDEO}]}, "no 'width'"),
    ],
    ids=["other joints", "a photo without people", "a video without calibration"],
)
def test_labels_in_another_format_are_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    write_folder(tmp_path, Body(load_builtin_body()))
    write_people(tmp_path, changes)
    with pytest.raises(ValueError, match=reason):
        read_folder(tmp_path)


def test_so_are_videos_whose_boxes_and_joints_do_not_fit(tmp_path: Path) -> None:
    _, truth = see(Body(load_builtin_body()), CAMERA, 3.0)
    video = video_of(truth)
    video["boxes_xyxy"].pop()
    write_people(tmp_path, {"photos": [photo_of(truth)], "videos": [video]})
    with pytest.raises(ValueError, match=r"4 boxes and joints of 5 frames for video\.avi"):
        read_folder(tmp_path)
