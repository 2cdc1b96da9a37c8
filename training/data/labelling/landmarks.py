"""The teacher's 33 landmarks, and the 19 joints of the labels derived from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import AnyFloats, Floats
from smpler_model.body.skeleton import LABELLED_JOINTS, other_side
from training.data.labelling.answers import Answers

LANDMARKS = (
    "nose",
    *("left_eye_inner", "left_eye", "left_eye_outer"),
    *("right_eye_inner", "right_eye", "right_eye_outer"),
    *("left_ear", "right_ear", "left_mouth", "right_mouth"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    *("left_heel", "right_heel", "left_toes", "right_toes"),
)
"""The landmarks of MediaPipe's pose landmark network, in its order."""

MIRRORED_LANDMARKS = tuple(LANDMARKS.index(other_side(name)) for name in LANDMARKS)
"""The landmark on the other side of the body, for each of the 33."""

JOINTS = (
    *LABELLED_JOINTS[:14],
    *("nose", "left_foot", "right_foot", "left_hand", "right_hand"),
)
"""Joints of the labels: the 14 of Leeds Sports Pose in its order, then those from the teacher."""

LIMB_COUNT = 12
"""Number of limb joints, which come first: both the labels and the teacher have them."""

MIRRORED_JOINTS = tuple(JOINTS.index(other_side(name)) for name in JOINTS)
"""The joint on the other side of the body, for each of the 19."""

FROM_TEACHER = np.array([name not in ("neck", "top_of_head") for name in JOINTS])
"""(19,) whether a joint is derived from landmarks."""

BONES_M = (
    (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), 0.530),
    (("left_hip",), ("left_knee",), 0.375),
    (("right_hip",), ("right_knee",), 0.375),
    (("left_knee",), ("left_ankle",), 0.396),
    (("right_knee",), ("right_ankle",), 0.396),
    (("left_shoulder",), ("left_elbow",), 0.259),
    (("right_shoulder",), ("right_elbow",), 0.259),
)
"""Pairs of midpoints of landmarks, with their distance on the built-in body, metres."""

_SCALES = (0.85, 1.35)  # anything beyond is an error of the teacher, not a person's size
_SHORTEST = 0.1  # least length of a bone relative to the body's

# `foot` is the ball of the foot, between ankle and toes; `hand` is at the knuckles.
_PARTS = {
    "foot": (("ankle", 0.35), ("toes", 0.65)),
    "hand": (("pinky", 0.5), ("index", 0.5)),
}
_SEEN = {"foot": ("toes", "toes"), "hand": ("pinky", "index")}


def _rows(names: tuple[str, ...]) -> list[int]:
    return [LANDMARKS.index(name) for name in names]


def _weights() -> Floats:
    weights = np.zeros((len(JOINTS), len(LANDMARKS)))
    for row, name in enumerate(JOINTS):
        side, _, part = name.partition("_")
        if part in _PARTS:
            for landmark, share in _PARTS[part]:
                weights[row, LANDMARKS.index(f"{side}_{landmark}")] = share
        elif FROM_TEACHER[row]:
            weights[row, LANDMARKS.index(name)] = 1
    return weights


def _seen_rows() -> NDArray[np.intp]:
    """Return (2, 19) landmarks whose visibility is the joint's; any for neck and top of head."""
    pairs = []
    for name in JOINTS:
        side, _, part = name.partition("_")
        alone = name if name in LANDMARKS else LANDMARKS[0]
        pairs.append([f"{side}_{each}" for each in _SEEN[part]] if part in _SEEN else [alone] * 2)
    return np.array([[LANDMARKS.index(name) for name in pair] for pair in pairs], np.intp).T


_WEIGHTS = _weights()
_SEEN_ROWS = _seen_rows()


@dataclass(frozen=True)
class TaughtJoints:
    """The teacher's predictions of the 19 joints of n people.

    Attributes:
        points_px: (n, 19, 2) pixels; 0 for the neck and the top of the head, which it lacks.
        points_m: (n, 19, 3) metres, relative to the hips' midpoint, likewise.
        visibility: (n, 19) from 0 to 1.
        spread_m: (n, 19) metres, how much mirroring the image changes the prediction.
    """

    points_px: Floats
    points_m: Floats
    visibility: Floats
    spread_m: Floats


def joints_of(answers: Answers) -> TaughtJoints:
    """Return the joints of n people from their 33 landmarks, scaled to a usual body size."""
    first, second = _SEEN_ROWS
    visibility = np.minimum(answers.visibility[:, first], answers.visibility[:, second])
    spread = (answers.spread_m[:, first] + answers.spread_m[:, second]) / 2
    return TaughtJoints(
        _WEIGHTS @ answers.points_px,
        _WEIGHTS @ resized(answers.points_m),
        np.where(FROM_TEACHER, visibility, 0),
        np.where(FROM_TEACHER, spread, np.inf),
    )


def resized(points_m: AnyFloats) -> Floats:
    """Scale skeletons so that the median ratio of their bones to the built-in body's is 1.

    The teacher's bones are 5 to 15 % too short, most of all those that point at the camera.

    Args:
        points_m: (n, 33, 3) metres.

    Returns:
        (n, 33, 3) metres, relative to the hips' midpoint.
    """
    lengths = [
        np.linalg.norm(points_m[:, _rows(a)].mean(1) - points_m[:, _rows(b)].mean(1), axis=1) / m
        for a, b, m in BONES_M
    ]
    scales = (1 / np.median(lengths, 0).clip(_SHORTEST)).clip(*_SCALES)
    scaled = points_m * scales[:, None, None]
    hips = _rows(("left_hip", "right_hip"))
    return np.asarray(scaled - scaled[:, hips].sum(1, keepdims=True) / 2, np.float64)
