"""A robot that turns and drives past standing people and a walking one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Generator

from smpler_model.array_types import Floats
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import camera_from_field_of_view
from smpler_model.cameras.frame_tree import level_camera
from synthetic.people.motions import RATE_HZ, Leg, Motion, make_motion
from synthetic.scene import SyntheticScene
from synthetic.scene_kinds import Background

Kind = Literal["standing", "walking"]

FRAME = "camera_optical_frame"
WALKING_M_S = 1.2
DURATION_S = 6.0
STARTS_S = 1.5
"""When the walking person sets off."""

_TURN_S = (3.0, 5.0)  # in which the robot turns
_YAW_RAD = math.pi / 4  # before the turn, and the negative after it
_DRIVING_M_S, _START_M, _AWAY_M, _HEIGHT_M = 0.5, -1.25, -3.6, 1.2
_STANDING_M = ((0.2, -0.2), (0.4, 0.9), (0.0, 2.2))
_WALK_FROM_M, _WALK_TO_M = (0.0, 2.6), (0.0, -5.0)
_FOV_DEG, _WIDTH, _HEIGHT = 90.0, 640, 480


@dataclass(frozen=True)
class RobotPath:
    """Where the robot is: it drives along y at 0.5 m/s and turns right by 90 degrees in 2 s."""

    def world_from_base(self, time_s: float) -> Floats:
        """Return (4, 4), z up, x forward, at a time, seconds."""
        begin, end = _TURN_S
        share = min(max((time_s - begin) / (end - begin), 0.0), 1.0)
        yaw = _YAW_RAD * (1 - 2 * share)
        pose = np.eye(4)
        pose[:2, :2] = [[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]]
        pose[:2, 3] = _AWAY_M, _START_M + _DRIVING_M_S * time_s
        return pose


BASE_FROM_CAMERA = level_camera(_HEIGHT_M, 0.0)
"""(4, 4) mounting of the camera on the robot."""


class RobotScene(SyntheticScene):
    """People in a room, seen by the camera of the robot."""

    def __init__(
        self, body: Body, kind: Kind, *, seed: int = 0, background: Background = "room"
    ) -> None:
        """Draw the room and the people.

        Args:
            body: body of all people, who differ in shape.
            kind: three people who stand, or one who stands and then walks at 1.2 m/s.
            seed: seed of the room, and of the people's shapes, poses and clothes.
            background: a room, or plain grey.
        """
        self._path = RobotPath()
        camera = camera_from_field_of_view(_WIDTH, _HEIGHT, _FOV_DEG)
        motions = _people(body, kind, Generator().manual_seed(seed))
        super().__init__(
            body,
            replace(camera, calibrated=True),
            people=0,
            seed=seed,
            duration_s=2 * DURATION_S,
            camera_motion="drive",
            background=background,
            frame_id=FRAME,
        )
        self.motions = motions
        self._bake_looks(len(motions), Generator().manual_seed(seed + 1))

    def world_from_camera(self, stamp_ns: int) -> Floats:
        """Return the camera's pose (4, 4) at a timestamp: z up, the floor at 0."""
        pose: Floats = self._path.world_from_base(stamp_ns / 1e9) @ BASE_FROM_CAMERA
        return pose


def _people(body: Body, kind: Kind, generator: Generator) -> list[Motion]:
    def betas() -> torch.Tensor:
        return torch.randn(10, generator=generator).clamp(-2, 2)

    if kind == "walking":
        legs = [Leg("walk", target_m=_WALK_TO_M)]
        walk = make_motion(body, betas(), legs, _WALK_FROM_M, -math.pi / 2, generator)
        return [_after_standing(_at_speed(walk, WALKING_M_S), STARTS_S)]
    stay = [Leg("stand", DURATION_S)]
    return [
        make_motion(body, betas(), stay, place, heading, generator)
        for place, heading in zip(_STANDING_M, (math.pi, math.pi / 2, -math.pi / 2), strict=True)
    ]


def _at_speed(motion: Motion, speed_m_s: float) -> Motion:
    """Play a walk faster or slower, so that its steady middle has a speed."""
    third = len(motion.translations_m) // 3
    way = motion.translations_m[2 * third, :2] - motion.translations_m[third, :2]
    factor = speed_m_s / (float(np.linalg.norm(way)) * RATE_HZ / third)
    times = np.arange(0.0, motion.duration_s, factor / RATE_HZ)
    poses, places = zip(*(motion.at(time) for time in times.tolist()), strict=True)
    return Motion(np.stack(poses), np.stack(places), motion.betas)


def _after_standing(motion: Motion, seconds: float) -> Motion:
    count = round(seconds * RATE_HZ)
    rotations = np.concatenate([motion.rotations[:1].repeat(count, 0), motion.rotations])
    places = np.concatenate([motion.translations_m[:1].repeat(count, 0), motion.translations_m])
    return Motion(rotations, places, motion.betas)
