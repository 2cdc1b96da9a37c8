"""Poses of cameras that look at people.

World axes are ROS's: x ahead, y left, z up, the floor at z = 0. Camera axes are those of ROS's
optical frame: x right, y down, z forward. A body with an unrotated pelvis stands upright in SMPL's
axes (x left, y up, z front); `WORLD_FROM_BODY` makes it stand in the world, facing x.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from synthetic.noise import draw_chance, draw_choice, draw_uniform

WORLD_FROM_BODY = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
NEAREST_M, FARTHEST_M = 1.5, 10.0


def look_at(position_m: Tensor, target_m: Tensor, roll: Tensor | None = None) -> Tensor:
    """Return (b, 4, 4) `world_from_camera` of cameras that look from points to points (b, 3).

    Args:
        position_m: positions of the cameras in the world.
        target_m: points in the centres of their images; not directly above or below.
        roll: (b,) rotation about the optical axis, rad, clockwise seen from behind the camera.
    """
    forward = functional.normalize(target_m - position_m, dim=1)
    up = forward.new_tensor([0.0, 0.0, 1.0]).expand_as(forward)
    right = functional.normalize(torch.linalg.cross(forward, up), dim=1)
    down = torch.linalg.cross(forward, right)
    if roll is not None:
        c, s = roll.cos()[:, None], roll.sin()[:, None]
        right, down = c * right + s * down, c * down - s * right
    pose = torch.eye(4, dtype=forward.dtype).repeat(len(forward), 1, 1)
    pose[:, :3] = torch.stack((right, down, forward, position_m), 2)
    return pose


def draw_cameras(b: int, generator: Generator, close: float = 0.0) -> Tensor:
    """Draw b cameras around the world's origin: `world_from_camera` (b, 4, 4).

    They are at eye level, as low as a robot's head or under a ceiling, 1.5 to 10 m away, and aim
    within a few degrees of the middle of a person who stands at the origin.

    Args:
        b: number of cameras.
        generator: generator on the CPU.
        close: fraction of cameras that are instead like a phone in a hand or the camera of a
            robot's arm: 1 to 3 m above the floor, 1.2 to 4 m away, and rolled by up to 30 degrees.
    """
    usual = _draw_usual(b, generator)
    if not close:
        return usual
    chosen = draw_chance(close, (b, 1, 1), generator)
    return torch.where(chosen, _draw_close(b, generator), usual)


def _draw_usual(b: int, generator: Generator) -> Tensor:

    def uniform(low: float, high: float) -> Tensor:
        return draw_uniform(low, high, (b,), generator)

    kind = draw_choice((0.45, 0.27, 0.28), b, generator)
    heights = torch.stack((uniform(1.2, 1.9), uniform(0.3, 1.2), uniform(2.2, 3.5)))
    height = heights.gather(0, kind[None])[0]
    near, far = torch.tensor([NEAREST_M, FARTHEST_M]).log()
    distance = (near + (far - near) * torch.rand(b, generator=generator)).exp()
    place, target = _aim(distance, height, generator)
    wide = torch.where(draw_chance(0.05, (b,), generator), 0.3, 0.04)
    return look_at(place, target, wide * torch.randn(b, generator=generator))


def _draw_close(b: int, generator: Generator) -> Tensor:
    near, far = torch.tensor([1.2, 4.0]).log()
    distance = (near + (far - near) * torch.rand(b, generator=generator)).exp()
    place, target = _aim(distance, draw_uniform(1.0, 3.0, (b,), generator), generator)
    most = math.radians(30)
    return look_at(place, target, draw_uniform(-most, most, (b,), generator))


def _aim(distance: Tensor, height: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Place cameras at distances and heights (b,), m; return (b, 3) positions and targets."""
    b = len(distance)
    azimuth = draw_uniform(0, 2 * torch.pi, (b,), generator)
    place = torch.stack((distance * azimuth.cos(), distance * azimuth.sin(), height), 1)
    aside = torch.randn(b, 2, generator=generator).clamp(-2, 2) * torch.tensor([0.10, 0.06])
    along = torch.stack((-azimuth.sin(), azimuth.cos(), torch.zeros(b)), 1)
    target = distance[:, None] * aside[:, :1] * along
    target[:, 2] = 0.9 + distance * aside[:, 1]
    return place, target


def crop_intrinsics(centre: Tensor, side: Tensor, size: int) -> Tensor:
    """Return (b, 4) fx, fy, cx, cy of square crops of `size` pixels.

    centre: (b, 2) centre of the crop, as x / z and y / z in the camera's frame.
    side: (b,) side of the crop, in the same units.
    size: side of the crop, pixels; it spans -0.5 to size - 0.5.
    """
    focal = (size / side)[:, None]
    return torch.cat((focal, focal, (size - 1) / 2 - focal * centre), 1)


def project(points_m: Tensor, intrinsics: Tensor) -> Tensor:
    """Project (b, n, 3) points in the cameras' frames to (b, n, 2) pixels by (b, 4) intrinsics."""
    flat = points_m[..., :2] / points_m[..., 2:]
    return flat * intrinsics[:, None, :2] + intrinsics[:, None, 2:]
