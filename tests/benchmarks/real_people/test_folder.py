"""A folder of labelled people is read completely, or refused in a sentence."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.real_people.folder import JOINTS, read_folder
from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from tests.benchmarks.real_people.made_up import (
    CAMERA,
    FRAMES,
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


def photo_with(box: object, joint: object = 3) -> dict[str, object]:
    """Return labels of a photo of one person, with a box and a number of each joint."""
    person = {"box_xyxy": box, "joints_px": [[joint, 3, 2]] * len(JOINTS), "scored": True}
    return {"photos": [{"image": PHOTO, "everybody": True, "people": [person]}]}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"joints": ["nose"]}, "the joints nose instead of left_shoulder"),
        ({"photos": [{"image": PHOTO}]}, "no 'people'"),
        ({"videos": [{"video": VIDEO}]}, "no 'width'"),
        (
            photo_with([60, 50, 20, 30]),
            r"the box 60, 50, 20, 30 for photo\.png, which is not left",
        ),
        (photo_with([5, 5, 65, 5]), "the box 5, 5, 65, 5 for"),
        (photo_with([5, 5, None, 95]), "the box 5, 5, nan, 95 for"),
        (photo_with(None), "boxes that are not four numbers each"),
        (photo_with([5, 5, 65, 95], joint=None), r"joints that are no finite numbers for photo"),
    ],
    ids=[
        *("other joints", "a photo without people", "a video without calibration"),
        *("left, top, width, height", "no area", "a missing edge", "no box", "a missing joint"),
    ],
)
def test_labels_in_another_format_are_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    write_folder(tmp_path, Body(load_builtin_body()))
    write_people(tmp_path, changes)
    with pytest.raises(ValueError, match=reason):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boxes_xyxy": [], "joints_m": []}, r"0 boxes and joints of 0 frames for video\.avi"),
        ({"every": -1}, r"every -1 for video\.avi, which scores no frame"),
        ({"boxes_xyxy": [[60, 50, 20, 30]] * FRAMES}, r"the box 60, 50, 20, 30 for video\.avi"),
        ({"joints_m": [[[None] * 3] * len(JOINTS)] * FRAMES}, "joints that are no finite numbers"),
    ],
    ids=["no frame", "no scored frame", "left, top, width, height", "missing joints"],
)
def test_so_are_those_of_a_video(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    _, truth = write_folder(tmp_path, Body(load_builtin_body()))
    write_people(tmp_path, {"videos": [video_of(truth) | changes]})
    with pytest.raises(ValueError, match=reason):
        read_folder(tmp_path)


def test_so_are_videos_whose_boxes_and_joints_do_not_fit(tmp_path: Path) -> None:
    _, truth = see(Body(load_builtin_body()), CAMERA, 3.0)
    video = video_of(truth)
    video["boxes_xyxy"].pop()
    write_people(tmp_path, {"photos": [photo_of(truth)], "videos": [video]})
    with pytest.raises(ValueError, match=r"4 boxes and joints of 5 frames for video\.avi"):
        read_folder(tmp_path)
