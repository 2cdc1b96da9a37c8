"""Selects the teacher's predictions that agree with labels, or with another network.

All distances in images are relative to the longer side of the box around the joints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from training.data.labelling.answers import Answers
from training.data.labelling.landmarks import (
    FROM_TEACHER,
    JOINTS,
    LIMB_COUNT,
    MIRRORED_JOINTS,
    TaughtJoints,
    joints_of,
)

# A person is kept if the teacher is confident and its limbs agree with the labels.
LEAST_SCORE = 0.5
MEAN_DISTANCE = 0.07
FAR = 0.15
MOST_FAR = 1  # limb joints
LEAST_LIMBS = 6  # labelled ones
CLEARLY_APART = 0.10  # mean distance of limbs whose sides are swapped

# Their joint in 3D is kept if it is near the label, and equal in the mirrored image.
NEAR = 0.12
MOST_SPREAD_M = 0.12
VISIBLE = 0.5

SAME = 0.06  # label and teacher agree; their mean is better than either
UNLABELLED = 0.5  # confidence of joints that only the teacher provides

# Without labels, two networks must agree, more closely.
LEAST_SCORE_ALONE = 0.7
MEAN_DISTANCE_ALONE = 0.03
FAR_ALONE = 0.1
SMALLEST_PX = 100  # box around the limbs
SURE_ALONE = 0.04
NEAR_ALONE = 0.08

_BEYOND_LABELS = np.arange(len(JOINTS)) >= 14  # half the confidence in 3D


@dataclass(frozen=True)
class Verdict:
    """The labels of n people.

    Attributes:
        swapped: (n,) whether the labels agree only with the sides of the body swapped.
        kept: (n,) whether the teacher's predictions are used.
        keypoints: (n, 19, 3) pixels and confidence of `JOINTS`, 0 if unknown.
        joints: (n, 19, 4) metres relative to the hips' midpoint and confidence.
    """

    swapped: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    keypoints: Floats
    joints: Floats


def judge_with_labels(labels: Floats, answers: Answers) -> Verdict:
    """Compare the teacher with labels.

    Args:
        labels: (n, 14, 3) pixels, and whether the joint is labelled, in the order of `JOINTS`.
        answers: the teacher's predictions for n people.
    """
    taught = joints_of(answers)
    points, labelled = _padded(labels)
    size = _size(points, labelled)
    apart = _distances(taught.points_px, points, size)
    swapped_apart = _distances(taught.points_px[:, MIRRORED_JOINTS], points, size)
    comparable = labelled & FROM_TEACHER
    limbs = labelled[:, :LIMB_COUNT]
    mean, swapped_mean = (_mean(each, limbs) for each in (apart, swapped_apart))
    kept = (
        (answers.score > LEAST_SCORE)
        & (mean < MEAN_DISTANCE)
        & ((limbs & (apart[:, :LIMB_COUNT] > FAR)).sum(1) <= MOST_FAR)
        & (mean <= swapped_mean)
        & (limbs.sum(1) >= LEAST_LIMBS)
    )
    believed = kept[:, None] & FROM_TEACHER
    near = np.where(labelled, apart < NEAR, taught.visibility > VISIBLE)
    added = believed & ~labelled & (taught.visibility > VISIBLE)
    same = believed & comparable & (apart < SAME)
    confidence = np.where(labelled & ~(believed & (apart > FAR)), 1.0, added * UNLABELLED)
    points[same] = (points[same] + taught.points_px[same]) / 2
    points[added] = taught.points_px[added]
    return Verdict(
        (swapped_mean < MEAN_DISTANCE) & (mean > CLEARLY_APART),
        kept,
        np.dstack((points, confidence)),
        _in_space(taught, believed & near),
    )


def judge_with_second(answers: Answers, second: Answers) -> Verdict:
    """Compare the teacher with a second network, if there are no labels.

    Args:
        answers: the teacher's predictions for n people.
        second: another network's.
    """
    taught, other = joints_of(answers), joints_of(second)
    limbs = taught.points_px[:, :LIMB_COUNT]
    size = _size(limbs, np.ones(limbs.shape[:2], bool))
    apart = _distances(taught.points_px, other.points_px, size)
    limbs_apart = apart[:, :LIMB_COUNT]
    kept = (
        (answers.score > LEAST_SCORE_ALONE)
        & (limbs_apart.mean(1) < MEAN_DISTANCE_ALONE)
        & (limbs_apart.max(1) < FAR_ALONE)
        & (size > SMALLEST_PX)
        & (taught.visibility > VISIBLE).any(1)
    )
    visible = kept[:, None] & (taught.visibility > VISIBLE)
    near = visible & (apart < NEAR_ALONE)
    confidence = np.where(visible & (apart < SURE_ALONE), 1.0, near * 0.5)
    return Verdict(
        np.zeros(len(kept), bool),
        kept,
        np.dstack((taught.points_px, confidence)),
        _in_space(taught, near),
    )


def _in_space(taught: TaughtJoints, believed: NDArray[np.bool_]) -> Floats:
    """Return (n, 19, 4) joints in 3D, with confidence 0 if mirroring changes them."""
    confidence = believed & (taught.spread_m < MOST_SPREAD_M)
    return np.dstack((taught.points_m, confidence * np.where(_BEYOND_LABELS, 0.5, 1.0)))


def _padded(labels: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return (n, 19, 2) points and (n, 19) whether they are labelled."""
    n, k = labels.shape[:2]
    points, labelled = np.zeros((n, len(JOINTS), 2)), np.zeros((n, len(JOINTS)), bool)
    points[:, :k], labelled[:, :k] = labels[..., :2], labels[..., 2] > 0
    return points, labelled


def _size(points: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return (n,) the longer side of the box around known points, at least a pixel."""
    least = np.where(known[..., None], points, np.inf).min(1)
    most = np.where(known[..., None], points, -np.inf).max(1)
    return np.asarray((most - least).max(1).clip(1))


def _distances(points: Floats, others: Floats, size: Floats) -> Floats:
    return np.asarray(np.linalg.norm(points - others, axis=2) / size[:, None])


def _mean(apart: Floats, limbs: NDArray[np.bool_]) -> Floats:
    """Return (n,) mean distance of known limb joints."""
    found = np.maximum(limbs.sum(1), 1)
    return np.asarray(np.where(limbs, apart[:, :LIMB_COUNT], 0).sum(1) / found)
