"""The teacher's predictions are kept if they agree with labels, or with another network."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.labelling.agreement import judge_with_labels, judge_with_second
from training.data.labelling.answers import Answers
from training.data.labelling.landmarks import (
    JOINTS,
    LANDMARKS,
    LIMB_COUNT,
    MIRRORED_JOINTS,
    MIRRORED_LANDMARKS,
    joints_of,
)

NOSE, NECK, KNEE, WRIST = (JOINTS.index(n) for n in ("nose", "neck", "left_knee", "left_wrist"))
SHARE = 200.0  # longer side of the made-up person's box in pixels

PLACES = {  # joints of a person who faces the camera, in pixels
    "hip": (10, 100),
    "knee": (12, 150),
    "ankle": (12, 200),
    "heel": (12, 205),
    "toes": (14, 210),
    "shoulder": (20, 40),
    "elbow": (40, 70),
    "wrist": (60, 100),
    "pinky": (66, 104),
    "index": (64, 106),
    "thumb": (62, 106),
}


def person(n: int = 1) -> Answers:
    """Return confident predictions, equal for n people; the limbs' box is 200 pixels high."""
    points = np.full((len(LANDMARKS), 2), (100.0, 10.0), np.float32)
    for part, (x, y) in PLACES.items():
        points[LANDMARKS.index(f"left_{part}")] = (100 + x, y)
        points[LANDMARKS.index(f"right_{part}")] = (100 - x, y)
    points_m = np.column_stack((points / 100, np.zeros(len(points)))).astype(np.float32)
    shape = (n, len(LANDMARKS))
    return Answers(
        np.full(n, 0.9, np.float32),
        np.tile(points, (n, 1, 1)),
        np.ones(shape, np.float32),
        np.tile(points_m, (n, 1, 1)),
        np.zeros(shape, np.float32),
    )


def labels_of(answers: Answers) -> np.ndarray:
    """Return (n, 14, 3) labels that agree with predictions, with neck and head."""
    labels = np.ones((len(answers.score), 14, 3))
    labels[..., :2] = joints_of(answers).points_px[:, :14]
    labels[:, 12:, :2] = [[100, 35], [100, 0]]
    return labels


def height(labels: np.ndarray) -> float:
    return float(np.ptp(labels[0, :, 1]))


def test_a_teacher_that_agrees_adds_missing_joints() -> None:
    answers = person()
    labels = labels_of(answers)
    verdict = judge_with_labels(labels, answers)
    taught = joints_of(answers)
    assert verdict.kept.all()
    assert not verdict.swapped.any()
    np.testing.assert_allclose(verdict.keypoints[0, :14], labels[0], atol=1e-4)
    np.testing.assert_allclose(verdict.keypoints[0, 14:, :2], taught.points_px[0, 14:])
    np.testing.assert_array_equal(verdict.keypoints[0, 14:, 2], 0.5)
    np.testing.assert_allclose(verdict.joints[..., :3], taught.points_m)
    np.testing.assert_array_equal(verdict.joints[0, :, 3], [1] * 12 + [0] * 2 + [0.5] * 5)


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.2))
def test_a_mirrored_photo_gets_the_same_verdict(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    answers = person(4)
    labels = labels_of(answers)
    labels[..., :2] += rng.normal(0, noise * SHARE, labels[..., :2].shape)
    labels[..., 2] = rng.random(labels.shape[:2]) < 0.9
    answers = replace(answers, visibility=rng.random(answers.visibility.shape, np.float32))
    rows = list(MIRRORED_LANDMARKS)
    flipped = Answers(
        answers.score,
        answers.points_px[:, rows] * np.float32([-1, 1]),
        answers.visibility[:, rows],
        answers.points_m[:, rows] * np.float32([-1, 1, 1]),
        answers.spread_m[:, rows],
    )
    flipped_labels = labels[:, MIRRORED_JOINTS[:14]] * [-1, 1, 1]
    verdict, other = judge_with_labels(labels, answers), judge_with_labels(flipped_labels, flipped)
    np.testing.assert_array_equal(other.kept, verdict.kept)
    np.testing.assert_array_equal(other.swapped, verdict.swapped)
    rows = list(MIRRORED_JOINTS)
    known = verdict.keypoints[:, rows, 2] > 0
    np.testing.assert_array_equal(other.keypoints[..., 2], verdict.keypoints[:, rows, 2])
    expected = verdict.keypoints[:, rows, :2] * [-1, 1]
    np.testing.assert_allclose(other.keypoints[known, :2], expected[known], atol=1e-3)
    np.testing.assert_array_equal(other.joints[..., 3], verdict.joints[:, rows, 3])


def test_swapped_sides_are_recognised() -> None:
    answers = person()
    labels = labels_of(answers)
    wrong = labels[:, MIRRORED_JOINTS[:14]]
    assert not judge_with_labels(labels, answers).swapped.any()
    verdict = judge_with_labels(wrong, answers)
    assert verdict.swapped.all()
    assert not verdict.kept.any()


def test_a_wrist_far_from_its_label_has_no_confidence() -> None:
    answers = person()
    labels = labels_of(answers)
    labels[0, WRIST, 0] += 0.2 * SHARE
    verdict = judge_with_labels(labels, answers)
    assert verdict.kept.all()
    assert verdict.keypoints[0, WRIST, 2] == 0
    assert verdict.joints[0, WRIST, 3] == 0
    assert verdict.joints[0, KNEE, 3] == 1


@pytest.mark.parametrize(
    ("share", "keypoint", "joint"),
    [(0.04, "mean", 1), (0.08, "label", 1), (0.13, "label", 0), (0.2, "unknown", 0)],
)
def test_the_distance_to_the_teacher_decides(share: float, keypoint: str, joint: float) -> None:
    answers = person()
    labels = labels_of(answers)
    moved = share * height(labels)
    labels[0, KNEE, 0] += moved
    verdict = judge_with_labels(labels, answers)
    x = verdict.keypoints[0, KNEE, 0] - labels_of(answers)[0, KNEE, 0]
    assert x == pytest.approx(moved / 2 if keypoint == "mean" else moved, rel=0.01)
    assert verdict.keypoints[0, KNEE, 2] == (keypoint != "unknown")
    assert verdict.joints[0, KNEE, 3] == joint


def far(answers: Answers, labels: np.ndarray) -> None:
    labels[:, [KNEE, WRIST], 0] += 0.2 * SHARE


def off(answers: Answers, labels: np.ndarray) -> None:
    labels[:, :LIMB_COUNT, 0] += 0.09 * SHARE


def unsure(answers: Answers, labels: np.ndarray) -> None:
    answers.score[:] = 0.4


def few(answers: Answers, labels: np.ndarray) -> None:
    labels[:, 5:, 2] = 0


@pytest.mark.parametrize("change", [far, off, unsure, few])
def test_without_agreement_the_labels_are_unchanged(change: object) -> None:
    answers = person()
    labels = labels_of(answers)
    change(answers, labels)  # type: ignore[operator]
    verdict = judge_with_labels(labels, answers)
    assert not verdict.kept.any()
    assert not verdict.joints[..., 3].any()
    known = labels[..., 2] > 0
    np.testing.assert_array_equal(verdict.keypoints[:, :14][known], labels[known])
    assert not verdict.keypoints[:, 14:, 2].any()


@pytest.mark.parametrize("judge", ["labels", "second"])
def test_joints_changed_by_mirroring_are_not_kept_in_3d(judge: str) -> None:
    answers = person()
    answers.spread_m[:, LANDMARKS.index("left_knee")] = 0.13
    if judge == "labels":
        verdict = judge_with_labels(labels_of(answers), answers)
    else:
        verdict = judge_with_second(answers, answers)
    assert verdict.kept.all()
    assert verdict.keypoints[0, KNEE, 2] == 1
    assert verdict.joints[0, KNEE, 3] == 0
    assert verdict.joints[0, WRIST, 3] == 1


def test_networks_that_agree_are_kept() -> None:
    answers = person(3)
    second = replace(answers, points_px=answers.points_px.copy())
    row = LANDMARKS.index("left_wrist")
    second.points_px[1, row, 0] += 0.06 * 190
    second.points_px[2, row, 0] += 0.2 * 190
    verdict = judge_with_second(answers, second)
    np.testing.assert_array_equal(verdict.kept, [True, True, False])
    np.testing.assert_array_equal(verdict.keypoints[:, WRIST, 2], [1, 0.5, 0])
    np.testing.assert_array_equal(verdict.joints[:, WRIST, 3], [1, 1, 0])
    np.testing.assert_array_equal(verdict.keypoints[:, NECK], 0)
    assert (verdict.joints[:2, NOSE, 3] == 0.5).all()


def test_hidden_and_tiny_people_are_left_out() -> None:
    hidden = person()
    hidden.visibility[:] = 0
    tiny = person()
    tiny.points_px[:] *= 0.4
    for answers in (hidden, tiny):
        assert not judge_with_second(answers, answers).kept.any()
