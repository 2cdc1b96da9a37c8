"""Single poses from motions like those in the synthetic scenes."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Generator, Tensor

from synthetic.noise import draw_choice
from synthetic.people.gestures import JOINT
from synthetic.people.motions import Activity, Leg, Style, perform

_ACTIVITY_SHARES: dict[Activity, float] = {
    "walk": 0.3,
    "stand": 0.25,
    "wave": 0.15,
    "sit": 0.12,
    "reach": 0.1,
    "turn": 0.08,
}
_TIMES = 4  # moments per person
_SWAY = 0.06  # standard deviation of each joint's random deviation, rad
_LEG_M = 0.8  # affects only durations of walking, which a single pose does not show


def draw_moments(n: int, generator: Generator) -> Tensor:
    """Draw poses (n, 24, 3, 3) of people at random moments of everyday motions.

    Each person changes from one pose to an activity, in their own style, and is sampled a few
    times; every joint deviates slightly from the activity. The pelvis is rotated as in
    `poses.draw_poses`.

    Args:
        n: number of poses.
        generator: generator on the CPU; the same seed gives the same poses.
    """
    activities, people = list(_ACTIVITY_SHARES), math.ceil(n / _TIMES)
    kinds = draw_choice(list(_ACTIVITY_SHARES.values()), people, generator).tolist()
    moments = []
    for kind in kinds:
        style = Style(_LEG_M, generator)
        before = style.held(activities[int(draw_choice([1.0] * len(activities), 1, generator))])
        leg = Leg(activities[kind], 2.0, (2.0, 0.0), math.pi / 2)
        poses, _ = perform(leg, before, np.zeros(2), 0.0, style)
        moments.append(poses[torch.randint(len(poses), (_TIMES,), generator=generator)])
    return sway(torch.cat(moments)[:n], generator)


def sway(rotations: Tensor, generator: Generator) -> Tensor:
    """Turn every joint of poses (n, 24, 3, 3) a little, by chance."""
    n = len(rotations)
    if not n:
        return rotations
    vectors = _SWAY * torch.randn(n * len(JOINT), 3, generator=generator).clamp(-2.5, 2.5)
    swayed = torch.from_numpy(Rotation.from_rotvec(vectors.numpy()).as_matrix()).float()
    return rotations @ swayed.view(n, len(JOINT), 3, 3)
