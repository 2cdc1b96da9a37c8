"""Losses.

These are SMPLer's four terms and their weighted sum: absolute differences of vertices and
rotations, squared differences of joints in space and in the image; and distances of joints in
space, which MPJPE measures, and in the image.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from smpler_model.people.metrics import centre_on_hips


@dataclass(frozen=True)
class LossWeights:
    """Factors of the terms; the defaults are SMPLer's.

    Attributes:
        vertices: weight of vertex distances relative to the regressed pelvis, per metre.
        keypoints: weight of squared 2D joint errors, in half crop sides.
        joints: weight of squared 3D joint errors relative to the hips' midpoint, per square metre.
        rotations: weight of errors of the 24 rotation matrices' entries.
        distances: weight of distances of the same joints, not squared, per metre. Squares are
            dominated by a few people who are hard to see.
        keypoint_distances: weight of 2D joint errors, not squared, in half crop sides. The
            gradient of squares vanishes near the joints.
    """

    vertices: float = 100.0
    keypoints: float = 100.0
    joints: float = 1000.0
    rotations: float = 50.0
    distances: float = 0.0
    keypoint_distances: float = 0.0


@dataclass(frozen=True)
class Posed:
    """The compared quantities of b people, predicted or labelled.

    Attributes:
        rotations: (b, 24, 3, 3).
        vertices: (b, v, 3) metres, all vertices or some.
        pelvis: (b, 3) metres, regressed from the vertices.
        joints: (b, 14, 3) metres, in the order of `skeleton.H36M_EVALUATED`.
        keypoints: (b, n, 2); the crop spans [-1, 1].
    """

    rotations: Tensor
    vertices: Tensor
    pelvis: Tensor
    joints: Tensor
    keypoints: Tensor


@dataclass(frozen=True)
class Labels:
    """Which labels b people have, and the weight of each joint.

    Attributes:
        has_smpl: (b,) 1 if rotations and vertices are labelled, else 0.
        has_joints: (b,) 1 if joints in space are labelled, else 0.
        joint_confidence: (b, 14).
        keypoint_confidence: (b, n).
    """

    has_smpl: Tensor
    has_joints: Tensor
    joint_confidence: Tensor
    keypoint_confidence: Tensor

    def to(self, like: Tensor) -> "Labels":
        """Return the labels with a tensor's type, on its device."""
        return Labels(*(values.to(like) for values in vars(self).values()))


@dataclass(frozen=True)
class Counts:
    """Numbers of people that means are taken over; scalars.

    When several ranks share a batch, each uses the mean counts over all ranks instead of its own,
    so that the mean of the ranks' gradients is the gradient of the whole batch, however unevenly
    the labels are distributed.

    Attributes:
        people: number of people.
        with_smpl: number of people with labelled rotations and vertices.
        with_joints: number of people with labelled joints in space.
    """

    people: Tensor
    with_smpl: Tensor
    with_joints: Tensor


@dataclass(frozen=True)
class Losses:
    """The weighted terms, scalars."""

    vertices: Tensor
    keypoints: Tensor
    joints: Tensor
    rotations: Tensor
    distances: Tensor
    keypoint_distances: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum."""
        in_image = self.keypoints + self.keypoint_distances
        return self.vertices + self.joints + self.rotations + self.distances + in_image

    def terms(self) -> dict[str, Tensor]:
        """Return the terms and their sum by name, detached."""
        names = (*LossWeights.__annotations__, "total")
        return {name: getattr(self, name).detach() for name in names}


def full_labels(people: int, keypoints: int, joints: int = 14) -> Labels:
    """Return labels of people for whom everything is known."""
    return Labels(
        torch.ones(people),
        torch.ones(people),
        torch.ones(people, joints),
        torch.ones(people, keypoints),
    )


def count_labels(labels: Labels) -> Counts:
    """Count the people who have labels."""
    return Counts(
        labels.has_smpl.new_tensor(len(labels.has_smpl)),
        labels.has_smpl.sum(),
        labels.has_joints.sum(),
    )


def compare(
    predicted: Posed,
    target: Posed,
    labels: Labels,
    weights: LossWeights | None = None,
    counts: Counts | None = None,
) -> Losses:
    """Compute the losses of b people; a term without labelled people is 0.

    Means are over the people who have the label, and over all their entries, including those with
    zero confidence.

    Args:
        predicted: outputs of the network.
        target: labels; arbitrary values where there is no label.
        labels: which labels exist.
        weights: weights of the terms; SMPLer's if None.
        counts: numbers of people that losses are averaged over; those of `labels` if None.

    Source: SMPLer, section 3.4; weights and choices of norms as released.
    """
    weights = weights or LossWeights()
    counts = counts or count_labels(labels)
    surface = (predicted.vertices - predicted.pelvis[:, None]) - (
        target.vertices - target.pelvis[:, None]
    )
    turn = predicted.rotations - target.rotations
    apart = centre_on_hips(predicted.joints) - centre_on_hips(target.joints)
    shift = predicted.keypoints - target.keypoints
    weighted_joints = labels.joint_confidence[..., None] * apart.square()
    distances = labels.joint_confidence * torch.linalg.vector_norm(apart, dim=-1)
    weighted_keypoints = labels.keypoint_confidence[..., None] * shift.square()
    shifts = labels.keypoint_confidence * torch.linalg.vector_norm(shift, dim=-1)
    everybody = torch.ones_like(labels.has_smpl)
    return Losses(
        weights.vertices * _mean_over(surface.abs(), labels.has_smpl, counts.with_smpl),
        weights.keypoints * _mean_over(weighted_keypoints, everybody, counts.people),
        weights.joints * _mean_over(weighted_joints, labels.has_joints, counts.with_joints),
        weights.rotations * _mean_over(turn.abs(), labels.has_smpl, counts.with_smpl),
        weights.distances * _mean_over(distances, labels.has_joints, counts.with_joints),
        weights.keypoint_distances * _mean_over(shifts, everybody, counts.people),
    )


def _mean_over(values: Tensor, present: Tensor, count: Tensor) -> Tensor:
    """Return the sum of (b, ...) values' means over present people, over a count; 0 for 0."""
    each = values.flatten(1).mean(1)
    nobody = count == 0
    return (each * present).sum() / torch.where(nobody, torch.ones_like(count), count)
