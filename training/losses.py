"""What training minimises.

SMPLer's four terms and their weighted sum: vertices and rotations by absolute, joints in space and
in the image by squared differences.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from smpler_model.metrics import centre_on_hips


@dataclass(frozen=True)
class LossWeights:
    """Factors of the terms; the defaults are SMPLer's.

    Attributes:
        vertices: of the surface, its regressed pelvis as origin, per metre.
        keypoints: of joints in the image, per square of half a crop's side.
        joints: of joints in space, the hips' midpoint as origin, per square metre.
        rotations: of the 24 rotation matrices' entries.
    """

    vertices: float = 100.0
    keypoints: float = 100.0
    joints: float = 1000.0
    rotations: float = 50.0


@dataclass(frozen=True)
class Posed:
    """b people as a loss compares them, predicted or labelled.

    Attributes:
        rotations: (b, 24, 3, 3).
        vertices: (b, v, 3) metres, all or some of the surface.
        pelvis: (b, 3) metres, regressed from the surface.
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
    """Which labels b people have, and how much each joint counts.

    Attributes:
        has_smpl: (b,) 1 where rotations and surface are labelled, else 0.
        has_joints: (b,) 1 where joints in space are labelled, else 0.
        joint_confidence: (b, 14).
        keypoint_confidence: (b, n).
    """

    has_smpl: Tensor
    has_joints: Tensor
    joint_confidence: Tensor
    keypoint_confidence: Tensor


@dataclass(frozen=True)
class Losses:
    """The weighted terms, scalars."""

    vertices: Tensor
    keypoints: Tensor
    joints: Tensor
    rotations: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.vertices + self.keypoints + self.joints + self.rotations

    def numbers(self) -> dict[str, float]:
        """Return the terms and their sum by name."""
        values = {name: getattr(self, name) for name in (*LossWeights.__annotations__, "total")}
        return {name: float(value.detach()) for name, value in values.items()}


def full_labels(people: int, keypoints: int, joints: int = 14) -> Labels:
    """Return labels of people for whom everything is known."""
    return Labels(
        torch.ones(people),
        torch.ones(people),
        torch.ones(people, joints),
        torch.ones(people, keypoints),
    )


def compare(
    predicted: Posed, target: Posed, labels: Labels, weights: LossWeights | None = None
) -> Losses:
    """Compute the losses of b people; a term for which nobody is labelled is 0.

    Means run over the people who have the label, and over all their entries, those of no
    confidence too.

    Source: SMPLer, section 3.4; weights and choices of norms as released.
    """
    weights = weights or LossWeights()
    surface = (predicted.vertices - predicted.pelvis[:, None]) - (
        target.vertices - target.pelvis[:, None]
    )
    turn = predicted.rotations - target.rotations
    apart = centre_on_hips(predicted.joints) - centre_on_hips(target.joints)
    shift = predicted.keypoints - target.keypoints
    weighted_joints = labels.joint_confidence[..., None] * apart.square()
    weighted_keypoints = labels.keypoint_confidence[..., None] * shift.square()
    return Losses(
        weights.vertices * _mean_over(surface.abs(), labels.has_smpl),
        weights.keypoints * weighted_keypoints.mean(),
        weights.joints * _mean_over(weighted_joints, labels.has_joints),
        weights.rotations * _mean_over(turn.abs(), labels.has_smpl),
    )


def _mean_over(values: Tensor, present: Tensor) -> Tensor:
    """Return the mean of (b, ...) values over the people who are present, 0 if nobody is."""
    each = values.flatten(1).mean(1)
    return (each * present).sum() / present.sum().clamp(min=1)
