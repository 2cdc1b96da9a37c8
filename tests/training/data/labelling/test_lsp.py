"""Labels of Leeds Sports Pose."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from tests.training.data.labelling.test_agreement import labels_of, person
from training.data.labelling.agreement import judge_with_labels
from training.data.labelling.landmarks import JOINTS, MIRRORED_JOINTS
from training.data.labelling.lsp import boxes_around, photos_of, read_joints, within

NOSE = JOINTS.index("nose")


def test_labels_have_one_row_per_photo(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).uniform(0, 200, (5, 14, 3))
    savemat(tmp_path / "joints.mat", {"joints": labels.transpose(1, 2, 0)})
    np.testing.assert_array_equal(read_joints(tmp_path / "joints.mat"), labels)


@pytest.mark.parametrize("length", [0, 60, 128, 300, 1000])
def test_damaged_labels_are_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "joints.mat"
    savemat(path, {"joints": np.zeros((14, 3, 20))}, do_compression=length > 200)
    path.write_bytes(path.read_bytes()[: min(length, path.stat().st_size - 1)])
    with pytest.raises(ValueError, match=r"must have numbers `joints` of shape \(14, 3, n\)"):
        read_joints(path)


@pytest.mark.parametrize(
    "content",
    [
        {"joints": np.zeros((3, 14, 20))},
        {"places": np.zeros((14, 3, 20))},
        {"joints": np.full((14, 3, 20), np.nan)},
        {"joints": "text"},
    ],
    ids=["the smaller data set's order", "another name", "no numbers", "text"],
)
def test_other_labels_are_refused(tmp_path: Path, content: dict[str, object]) -> None:
    savemat(tmp_path / "joints.mat", content)
    with pytest.raises(ValueError, match="take that of the extended data set"):
        read_joints(tmp_path / "joints.mat")


def test_swapped_sides_and_duplicates_are_left_out(tmp_path: Path) -> None:
    answers = person(4)
    labels = labels_of(answers)
    labels[1] = labels[1, MIRRORED_JOINTS[:14]]
    answers.score[3] = 0
    names = [f"{row}.png" for row in range(4)]
    for row, name in enumerate(names):
        cv2.imwrite(str(tmp_path / name), np.full((240, 200, 3), min(row, 2), np.uint8))
    (tmp_path / names[2]).write_bytes((tmp_path / names[0]).read_bytes())
    photos = photos_of(tmp_path, names, judge_with_labels(labels, answers))
    assert [photo.image for photo in photos] == ["0.png", "3.png"]
    assert photos[0].joints is not None
    assert photos[1].joints is None  # the labels alone


def test_boxes_enclose_known_keypoints() -> None:
    keypoints = np.zeros((1, 19, 3))
    keypoints[0, 3] = 10, 20, 1
    keypoints[0, 4] = 110, 70, 0.5
    np.testing.assert_allclose(boxes_around(keypoints), [[4, 14, 116, 76]])


def test_boxes_are_clipped_to_the_image() -> None:
    keypoints = np.ones((19, 3))
    keypoints[:, :2] = 50
    keypoints[NOSE, :2] = 50, -9
    keypoints[0, :2] = 50, -11
    box, inside = within(np.array([-5.0, -20, 60, 120]), keypoints, 80, 100)
    np.testing.assert_array_equal(box, [0, 0, 60, 99])
    assert inside[NOSE, 2] == 1
    assert inside[0, 2] == 0
    np.testing.assert_array_equal(inside[:, :2], keypoints[:, :2])
