"""Rotations about axes and between directions."""

from __future__ import annotations

import torch
from torch import Tensor


def turn(axis: str, angle: Tensor) -> Tensor:
    """Return rotations (..., 3, 3) by angles (...), rad, about the axis x, y or z."""
    c, s = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    rows = {
        "x": (one, zero, zero, zero, c, -s, zero, s, c),
        "y": (c, zero, s, zero, one, zero, -s, zero, c),
        "z": (c, -s, zero, s, c, zero, zero, zero, one),
    }[axis]
    return torch.stack(rows, -1).reshape(*angle.shape, 3, 3)


def turn_towards(start: Tensor, end: Tensor) -> Tensor:
    """Return the smallest rotations (..., 3, 3) from unit vectors (..., 3) to others."""
    across = torch.linalg.cross(start.expand_as(end), end)
    along = (start * end).sum(-1)[..., None, None].clamp(min=-0.999)
    x, y, z = across.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1)
    skew = skew.reshape(*across.shape, 3)
    rotations: Tensor = torch.eye(3) + skew + skew @ skew / (1 + along)
    return rotations
