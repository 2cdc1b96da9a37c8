"""Assigns motions to the people of a synthetic scene."""

from __future__ import annotations

import math

import torch
from torch import Generator

from smpler_model.body.skeleton import SMPL_SHAPE_COUNT
from smpler_model.body.smpl import Body
from synthetic.people.motions import Activity, Hand, Leg, Motion, make_motion

_WINGS_M = 4.5  # distance from the middle at which people wait, out of a usual camera's view
_LANES_M = (0.3, 1.15, -0.6, 2.0, -1.2)
"""Distances behind the room's middle at which people move, so that few collide."""
_STAY: tuple[Activity, ...] = ("wave", "stand", "sit", "reach")


def draw_motion(body: Body, index: int, duration_s: float, generator: Generator) -> Motion:
    """Draw the motion of one person, of at least `duration_s`, from a CPU generator.

    The first person stays in the middle; every second of the others crosses the view and comes
    back, the rest enter, do something and leave.

    Args:
        body: body of the person.
        index: index of the person, from 0.
        duration_s: minimum duration.
        generator: the same seed gives the same motion.
    """
    betas = torch.randn(SMPL_SHAPE_COUNT, generator=generator).clamp(-2, 2)
    draws = torch.rand(8, generator=generator).tolist()
    depth = _LANES_M[index % len(_LANES_M)] + 0.3 * (draws[0] - 0.5)
    side = 1.0 if draws[1] < 0.5 else -1.0
    first = _STAY[int(draws[2] * len(_STAY))]
    away = (depth, side * _WINGS_M)
    middle = (depth, side * (2 * draws[3] - 1))
    hand: Hand = "left" if draws[6] < 0.5 else "right"
    to_camera = Leg("turn", 1.2, heading=math.pi)
    if index == 0:
        stop, start, heading = (0.3, 0.4 * side), (0.3, -0.4 * side), math.pi
        round_trip = [
            *(Leg("wave", 2.5), Leg("walk", target_m=stop), to_camera, Leg("reach", 2.0)),
            *(Leg("turn", 2.0, heading=0.0), Leg("sit", 2.5), Leg("stand", 1.5)),
            *(Leg("walk", target_m=start), to_camera),
        ]
    elif index % 2:
        start, heading = away, -side * math.pi / 2
        other = (depth + 0.2 * (draws[4] - 0.5), -side * _WINGS_M)
        round_trip = [Leg("walk", target_m=other), Leg("walk", target_m=away)]
    else:
        start, heading = away, -side * math.pi / 2
        round_trip = [
            *(Leg("walk", target_m=middle), to_camera, Leg(first, 3.0), Leg("stand", 1.0)),
            Leg("walk", target_m=away),
        ]
    wait_s = 2.5 * draws[5] * index
    wait = [Leg("stand", wait_s)] if index else []
    motion = make_motion(body, betas, wait + round_trip, start, heading, generator, hand)
    rounds = math.ceil((duration_s - wait_s) / (motion.duration_s - wait_s))
    while motion.duration_s < duration_s:  # every motion is drawn at a pace of its own
        legs = wait + round_trip * rounds
        motion = make_motion(body, betas, legs, start, heading, generator, hand)
        rounds += 1
    return motion
