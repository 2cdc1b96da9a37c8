"""The labels' joints are derived from landmarks, in the same way on both sides of the body."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.skeleton import SMPL_JOINTS
from tests.training.data.labelling.made_up_teacher import random_answers
from training.data.labelling.answers import Answers
from training.data.labelling.landmarks import (
    BONES_M,
    FROM_TEACHER,
    JOINTS,
    LANDMARKS,
    MIRRORED_JOINTS,
    MIRRORED_LANDMARKS,
    joints_of,
    resized,
)
from training.data.photo_files import PHOTO_JOINTS

SEEDS = st.integers(0, 2**32 - 1)


def test_joints_are_those_of_the_training() -> None:
    assert JOINTS == PHOTO_JOINTS


@given(SEEDS)
def test_a_mirrored_person_has_mirrored_joints(seed: int) -> None:
    answers = random_answers(3, seed)
    rows = list(MIRRORED_LANDMARKS)
    other = joints_of(
        Answers(
            answers.score,
            answers.points_px[:, rows] * np.float32([-1, 1]),
            answers.visibility[:, rows],
            answers.points_m[:, rows] * np.float32([-1, 1, 1]),
            answers.spread_m[:, rows],
        )
    )
    joints, rows = joints_of(answers), list(MIRRORED_JOINTS)
    np.testing.assert_allclose(other.points_px, joints.points_px[:, rows] * [-1, 1], atol=1e-4)
    np.testing.assert_allclose(other.points_m, joints.points_m[:, rows] * [-1, 1, 1], atol=1e-6)
    np.testing.assert_array_equal(other.visibility, joints.visibility[:, rows])
    np.testing.assert_array_equal(other.spread_m, joints.spread_m[:, rows])


def test_joints_lie_at_and_between_landmarks() -> None:
    answers = random_answers(2, 0)
    joints = joints_of(answers)

    def landmark(name: str) -> np.ndarray:
        return answers.points_px[:, LANDMARKS.index(name)]

    def joint(name: str) -> np.ndarray:
        return joints.points_px[:, JOINTS.index(name)]

    np.testing.assert_array_equal(joint("left_knee"), landmark("left_knee"))
    hand = (landmark("right_pinky") + landmark("right_index")) / 2
    np.testing.assert_allclose(joint("right_hand"), hand, rtol=1e-6)
    foot = 0.35 * landmark("left_ankle") + 0.65 * landmark("left_toes")
    np.testing.assert_allclose(joint("left_foot"), foot, rtol=1e-6)
    assert not joints.points_px[:, ~FROM_TEACHER].any()
    assert not joints.visibility[:, ~FROM_TEACHER].any()


@given(SEEDS, st.floats(0.8, 1.1), st.floats(-5, 5))
def test_skeletons_are_scaled_to_the_body_s_size(seed: int, scale: float, apart: float) -> None:
    points = random_answers(1, seed).points_m.astype(np.float64)
    usual = resized(resized(points))  # bones of the built-in body's length
    hips = [LANDMARKS.index(f"{side}_hip") for side in ("left", "right")]
    np.testing.assert_allclose(usual[:, hips].mean(1), 0, atol=1e-12)
    if np.allclose(usual, resized(usual)):  # was not so far off that it is an error
        np.testing.assert_allclose(resized(scale * usual + apart), usual, atol=1e-9)


@pytest.mark.parametrize("bone", BONES_M, ids=lambda bone: " ".join(bone[0]))
def test_bones_are_as_long_as_the_body_s(
    bone: tuple[tuple[str, ...], tuple[str, ...], float],
) -> None:
    body = load_builtin_body()
    joints = body.J_regressor @ body.v_template
    ends = [joints[[SMPL_JOINTS.index(name) for name in names]].mean(0) for names in bone[:2]]
    assert np.linalg.norm(ends[0] - ends[1]) == pytest.approx(bone[2], abs=0.002)
