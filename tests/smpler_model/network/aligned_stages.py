"""Estimates of seeded bodies, and the keypoints of others, for the tests of alignment."""

import torch
from torch import Tensor

from smpler_model.body.smpl import Body
from smpler_model.network.estimates import Stage
from smpler_model.network.geometry import project_weak_perspective, rotation_from_axis_angle
from smpler_model.network.limbs import take_limbs

WIDTH = 8  # channels of a query


def look(body: Body, rotations: Tensor, betas: Tensor) -> Stage:
    camera = torch.tensor([[0.9, 0.05, -0.1]]).expand(len(betas), 3)
    joints = body.joints(rotations, betas)
    return Stage(rotations, betas, camera, joints, project_weak_perspective(joints, camera))


def random_stage(body: Body, seed: int, turn_rad: float = 0.3) -> Stage:
    generator = torch.Generator().manual_seed(seed)
    turns = turn_rad * torch.randn(4, 24, 3, generator=generator)
    return look(body, rotation_from_axis_angle(turns), torch.randn(4, 10, generator=generator))


def observe(stage: Stage, visibility: float) -> Tensor:
    """Return a body's own joints as keypoints."""
    keypoints = take_limbs(stage.keypoints)
    return torch.cat((keypoints, torch.full_like(keypoints[..., :1], visibility)), -1)
