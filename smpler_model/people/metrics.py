"""Error metrics of estimated people as papers report them, with explicit conventions.

Lengths are metres on input and millimetres on output. Joints are the 14 of
`skeleton.H36M_EVALUATED`, in that order, regressed from both meshes with the same regressor unless
they are labelled; their origin is the midpoint of both hips. The origin of meshes is the regressed
pelvis. Results under other conventions cannot be compared with these.

Every function takes tensors or NumPy arrays, (n, ...) for n people, computes in the given type
(float64 for exact results), and returns the kind it was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.body.skeleton import LABELLED_EVALUATED, LABELLED_JOINTS

Values = TypeVar("Values", Tensor, NDArray[Any])

MM_FROM_M = 1000.0
PCK_THRESHOLD_MM = 150.0
AUC_THRESHOLDS_MM = tuple(range(0, 151, 5))
"""Thresholds over which the area under the PCK curve is computed.

Source: Mehta et al., "Monocular 3D Human Pose Estimation In The Wild", 3DV 2017.
"""

_EVALUATED = [LABELLED_JOINTS[row] for row in LABELLED_EVALUATED]
HIPS = (_EVALUATED.index("right_hip"), _EVALUATED.index("left_hip"))
"""Rows of both hips among the evaluated joints; their midpoint is the origin."""


@dataclass(frozen=True)
class Errors:
    """Errors of n people, (n,) each, millimetres.

    Attributes:
        mpjpe: mean distance of the joints, origins aligned.
        pa_mpjpe: the same after the best similarity transform.
        mpve: mean distance of the vertices, origins aligned.
    """

    mpjpe: Tensor
    pa_mpjpe: Tensor
    mpve: Tensor

    def means(self) -> dict[str, float]:
        """Return the means over people under the metrics' usual names."""
        names = {"MPJPE": self.mpjpe, "PA-MPJPE": self.pa_mpjpe, "MPVE": self.mpve}
        return {name: float(values.double().mean()) for name, values in names.items()}


def joint_error(predicted: Values, target: Values, *, centred: bool = True) -> Values:
    """Return MPJPE (n,), mm: the mean distance of joints (n, 14, 3), m.

    Args:
        predicted: estimated joints.
        target: ground-truth joints.
        centred: whether to align the hips' midpoints first; False uses the joints as given, for
            another origin. The same holds for `pck` and `auc`.

    Source: Ionescu et al., "Human3.6M", TPAMI 2014.
    """
    return _as_given(predicted, _joint_distances(predicted, target, centred).mean(-1))


def aligned_joint_error(predicted: Values, target: Values) -> Values:
    """Return PA-MPJPE (n,), mm, of joints (n, k, 3), m: the error after `align`."""
    x, y = torch.as_tensor(predicted), torch.as_tensor(target)
    return _as_given(predicted, MM_FROM_M * (align(x, y) - y).norm(dim=-1).mean(-1))


def vertex_error(
    predicted: Values, target: Values, predicted_pelvis: Values, target_pelvis: Values
) -> Values:
    """Return MPVE (n,), mm, of vertices (n, v, 3) with regressed pelvises (n, 3), m."""
    x, y = torch.as_tensor(predicted), torch.as_tensor(target)
    origin, target_origin = torch.as_tensor(predicted_pelvis), torch.as_tensor(target_pelvis)
    apart = (x - origin[:, None]) - (y - target_origin[:, None])
    return _as_given(predicted, MM_FROM_M * apart.norm(dim=-1).mean(-1))


def acceleration_error(
    predicted: Values, target: Values, *, interval_s: float | None = None, centred: bool = True
) -> Values:
    """Return the difference of the joints' accelerations for each inner image of a sequence.

    Args:
        predicted: (t, 14, 3) joints of one person in t successive images at a steady rate, m;
            a sequence with a gap must be split.
        target: ground truth, likewise.
        interval_s: time between images, for mm/s^2; None gives mm per image squared, as in papers.
        centred: whether the hips' midpoint is each image's origin; False includes the motion of
            the whole body.

    Returns:
        (t - 2,) means over the joints; empty for fewer than three images.

    Source: Kanazawa et al., "Learning 3D Human Dynamics from Video", CVPR 2019.
    """
    x, y = torch.as_tensor(predicted), torch.as_tensor(target)
    apart = centre_on_hips(x) - centre_on_hips(y) if centred else x - y
    bend = apart[2:] - 2 * apart[1:-1] + apart[:-2] if len(apart) > 2 else apart[:0]
    unit = MM_FROM_M if interval_s is None else MM_FROM_M / interval_s**2
    return _as_given(predicted, unit * bend.norm(dim=-1).mean(-1))


def pck(
    predicted: Values,
    target: Values,
    threshold_mm: float = PCK_THRESHOLD_MM,
    *,
    centred: bool = True,
) -> Values:
    """Return the fraction (n,), 0 to 1, of joints (n, 14, 3), m, within a distance."""
    distances = _joint_distances(predicted, target, centred)
    return _as_given(predicted, (distances < threshold_mm).to(distances.dtype).mean(-1))


def auc(predicted: Values, target: Values, *, centred: bool = True) -> Values:
    """Return the mean (n,) of `pck` over `AUC_THRESHOLDS_MM`, for joints (n, 14, 3), m."""
    distances = _joint_distances(predicted, target, centred)
    limits = distances.new_tensor(AUC_THRESHOLDS_MM)
    inside = (distances[..., None] < limits).to(distances.dtype)
    return _as_given(predicted, inside.mean((-1, -2)))


def centre_on_hips(joints: Tensor, hips: Sequence[int] = HIPS) -> Tensor:
    """Translate joints (n, k, 3) so that the hips' midpoint is the origin.

    Args:
        joints: the 14 evaluated joints, or others.
        hips: indices of both hips among them.
    """
    return joints - joints[:, hips].mean(1, keepdim=True)


def align(points: Tensor, target: Tensor) -> Tensor:
    """Align points (n, k, 3) with others by the best similarity transform (Procrustes).

    The rotation never includes a reflection. Coinciding points keep their scale. A person with a
    non-finite number becomes NaN; others are not affected.
    Source: Umeyama, "Least-squares estimation of transformation parameters between two point
        patterns", TPAMI 1991.
    """
    middle, target_middle = points.mean(1, keepdim=True), target.mean(1, keepdim=True)
    x, y = points - middle, target - target_middle
    covariance = x.transpose(1, 2) @ y
    finite = covariance.isfinite().all((1, 2), keepdim=True)
    # A single non-finite number would make the decomposition fail for the whole batch.
    u, sizes, vh = torch.linalg.svd(torch.where(finite, covariance, 0.0))
    reflected = torch.linalg.det(u @ vh).sign()
    signs = torch.stack((torch.ones_like(reflected), torch.ones_like(reflected), reflected), 1)
    rotation = (u * signs[:, None]) @ vh  # acts on row vectors
    spread = x.square().sum((1, 2))
    scale = torch.where(spread > 0, (sizes * signs).sum(1) / spread.clamp(min=1e-30), 1.0)
    moved = scale[:, None, None] * x @ rotation + target_middle
    return torch.where(finite, moved, torch.nan)


def _joint_distances(predicted: Values, target: Values, centred: bool) -> Tensor:
    """(n, 14, 3) joints, m -> (n, 14) distances, mm."""
    x, y = torch.as_tensor(predicted), torch.as_tensor(target)
    apart = centre_on_hips(x) - centre_on_hips(y) if centred else x - y
    distances: Tensor = MM_FROM_M * apart.norm(dim=-1)
    return distances


def _as_given(given: Values, result: Tensor) -> Values:
    if isinstance(given, np.ndarray):
        return result.numpy()
    return result
