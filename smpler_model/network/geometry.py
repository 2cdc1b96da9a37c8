"""Rotations and projection, as stateless functions of tensors."""

import torch
from torch import Tensor

_OPPOSITE = 1e-8  # squared length of the sum of unit vectors that count as opposite
_SHORTEST = 1e-12  # shorter vectors are divided by this instead of by their length


def unit(vector: Tensor) -> Tensor:
    """Scale vectors (..., n) to length 1; zero stays zero.

    As `torch.nn.functional.normalize`, with half as many operations in an exported graph.
    """
    length: Tensor = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    return vector / length.clamp(min=_SHORTEST)


def rotation_from_6d(six: Tensor) -> Tensor:
    """Convert the continuous 6D representation into rotation matrices.

    The six numbers are the rows of a (3, 2) matrix whose columns are orthonormalised; the third
    column is their cross product. Degenerate input (a column near zero, or parallel columns)
    gives finite numbers that are not a rotation.

    Args:
        six: (..., 6).

    Returns:
        (..., 3, 3) rotation matrices.

    Source: Zhou et al., "On the Continuity of Rotation Representations in Neural Networks",
        CVPR 2019. Differs: the numbers are read row by row, as SMPLer and HMR's successors do.
    """
    first, second = six[..., ::2], six[..., 1::2]  # (..., 3) each
    x = unit(first)
    y = unit(second - (x * second).sum(-1, keepdim=True) * x)
    return torch.stack((x, y, torch.linalg.cross(x, y)), dim=-1)


def rotation_from_axis_angle(axis_angle: Tensor) -> Tensor:
    """Exponential map: (..., 3) rotation vectors in radians -> (..., 3, 3) matrices.

    Differentiable everywhere, including zero.
    """
    angle_squared = (axis_angle * axis_angle).sum(-1, keepdim=True)[..., None]  # (..., 1, 1)
    small = angle_squared < 1e-8
    safe = torch.where(small, torch.ones_like(angle_squared), angle_squared)
    angle = safe.sqrt()
    # Both factors are smooth in the squared angle; where the series is used, it is exact to
    # rounding.
    sine = torch.where(small, 1 - angle_squared / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - angle_squared / 24, (1 - angle.cos()) / safe)
    skew = skew_from_vector(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * skew + cosine * (skew @ skew)


def rotation_to_ray(rays: Tensor) -> Tensor:
    """Return the smallest rotations (..., 3, 3) from the z axis to rays (..., 3).

    A camera rotated in this way looks along the ray without rolling.

    Args:
        rays: rays of any length, except straight backwards.
    """
    x, y, z = unit(rays).unbind(-1)
    skew = skew_from_vector(torch.stack((-y, x, torch.zeros_like(x)), -1))  # of z axis x ray
    identity = torch.eye(3, dtype=rays.dtype, device=rays.device)
    return identity + skew + skew @ skew / (1 + z)[..., None, None]


def smallest_rotation(start: Tensor, end: Tensor) -> Tensor:
    """Return the smallest rotations (..., 3, 3) that turn vectors into directions.

    Args:
        start: (..., 3) vectors of any length but zero.
        end: (..., 3) likewise; where it is opposite to the start, the rotation is a half turn
            about some axis across it.
    """
    a, b = unit(start), unit(end)
    half = a + b
    is_opposite = (half * half).sum(-1, keepdim=True) < _OPPOSITE
    middle = unit(torch.where(is_opposite, _any_across(a), half))
    identity = torch.eye(3, dtype=a.dtype, device=a.device)
    # A half turn about a, then one about the middle between a and b.
    return (2 * _outer(middle) - identity) @ (2 * _outer(a) - identity)


def _any_across(vector: Tensor) -> Tensor:
    """Return some vector (..., 3) across each vector (..., 3)."""
    x, y, z = torch.split(vector, 1, -1)
    zero = torch.zeros_like(x)
    is_steep = x * x < y * y
    return torch.where(is_steep, torch.cat((zero, -z, y), -1), torch.cat((z, zero, -x), -1))


def _outer(vector: Tensor) -> Tensor:
    return vector[..., :, None] * vector[..., None, :]


def turn_pelvis(rotations: Tensor, turns: Tensor) -> Tensor:
    """Return poses (b, 24, 3, 3) with (b, 3, 3) rotations applied to the pelvis."""
    return torch.cat((turns[:, None] @ rotations[:, :1], rotations[:, 1:]), 1)


def skew_from_vector(vector: Tensor) -> Tensor:
    """(..., 3) -> (..., 3, 3) matrices of the cross product with the vector."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1)
    return rows.reshape(*vector.shape, 3)


def project_weak_perspective(points: Tensor, camera: Tensor) -> Tensor:
    """Project points with one scaled orthographic camera each.

    Args:
        points: (b, n, 3) in metres, x right, y down, z forward.
        camera: (b, 3) scale s and translation tx, ty: x2d = s (x + tx), y2d = s (y + ty).

    Returns:
        (b, n, 2) image positions; the square crop spans [-1, 1], y down.
    """
    scale, translation = camera[:, None, :1], camera[:, None, 1:]
    return scale * (points[..., :2] + translation)
