"""Errors of estimated people, in millimetres.

Conventions: joints are the 14 of `skeleton.H36M_EVALUATED`, regressed from both surfaces with the
same regressor where they are not labelled; their origin is the hips' midpoint; that of surfaces is
the regressed pelvis. Figures with other conventions cannot be compared.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.losses import centre_on_hips

MM_FROM_M = 1000.0


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
        """Return the means over people by the metrics' usual names."""
        names = {"MPJPE": self.mpjpe, "PA-MPJPE": self.pa_mpjpe, "MPVE": self.mpve}
        return {name: float(values.double().mean()) for name, values in names.items()}


def joint_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Return MPJPE (n,), mm, of joints (n, 14, 3), m."""
    apart = centre_on_hips(predicted) - centre_on_hips(target)
    error: Tensor = MM_FROM_M * apart.norm(dim=-1).mean(-1)
    return error


def aligned_joint_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Return PA-MPJPE (n,), mm, of joints (n, k, 3), m."""
    error: Tensor = MM_FROM_M * (align(predicted, target) - target).norm(dim=-1).mean(-1)
    return error


def vertex_error(
    predicted: Tensor, target: Tensor, predicted_pelvis: Tensor, target_pelvis: Tensor
) -> Tensor:
    """Return MPVE (n,), mm, of vertices (n, v, 3) with pelvises (n, 3), m."""
    apart = (predicted - predicted_pelvis[:, None]) - (target - target_pelvis[:, None])
    error: Tensor = MM_FROM_M * apart.norm(dim=-1).mean(-1)
    return error


def align(points: Tensor, target: Tensor) -> Tensor:
    """Move, turn and scale points (n, k, 3) to come as close to others as they can.

    The turn is a rotation, never a reflection. Points that all coincide keep their size.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point
        patterns", TPAMI 1991.
    """
    middle, target_middle = points.mean(1, keepdim=True), target.mean(1, keepdim=True)
    x, y = points - middle, target - target_middle
    u, sizes, vh = torch.linalg.svd(x.transpose(1, 2) @ y)
    reflected = torch.linalg.det(u @ vh).sign()
    signs = torch.stack((torch.ones_like(reflected), torch.ones_like(reflected), reflected), 1)
    rotation = (u * signs[:, None]) @ vh  # acts on row vectors
    spread = x.square().sum((1, 2))
    scale = torch.where(spread > 0, (sizes * signs).sum(1) / spread.clamp(min=1e-30), 1.0)
    moved: Tensor = scale[:, None, None] * x @ rotation + target_middle
    return moved
