"""Estimates the pose of a static camera without transforms, from people standing on the floor.

Standing people are upright, so their bodies show where up is, and their feet show the floor. A
plane of the floor is y = a x + b z + c in the optical frame: a and b are the slopes of its normal,
c is the camera's height along y. A person's distance has an error of scale, which moves the feet
along their ray; relative to c it is the same at all distances.
"""

from collections.abc import Iterable

import numpy as np
from scipy.optimize import least_squares

from smpler_model.array_types import Floats, Integers
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.frames import People
from smpler_model.people.confidence import are_inside
from smpler_model.people.floor import FEET, find_soles
from smpler_model.people.placement import HEIGHT_SPREAD

USUAL_HEIGHT_M = 1.2
"""Height of a level camera above the floor if nobody's feet are seen."""

_AHEAD = np.array([0.0, -1e-6, 1.0])
"""The optical axis, with so little of the direction up in the image that it shows only on a camera
that looks straight down.
"""
_SLOPE_SPREADS = (0.03, 0.1)  # of people's usual lean, sideways and to the camera
_STRAIGHT = 0.97  # length from neck to ankles over that along the bones of somebody who stands
_NECK = SMPL_JOINTS.index("neck")
_LEGS = [
    [SMPL_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle")]
    for side in ("left", "right")
]


def assume_pose(images: Iterable[tuple[Camera, People]]) -> Floats:
    """Return world_from_camera (4, 4), metres, with z up and the floor at z = 0.

    The plane is fitted to the lower sole of everybody whose feet are in the image, robustly, as
    some jump or climb. Each track counts as one observation, as its errors last. People who stand
    straight show the slopes; without any, the camera is assumed to be level.

    Args:
        images: the camera, and the people in its optical frame, of each image.
    """
    feet, slopes, ids = _observe(images)
    if not len(feet):
        return level_camera(USUAL_HEIGHT_M, 0.0)
    standing = np.isfinite(slopes[:, 0])
    lean = _median_of_tracks(slopes[standing], ids[standing]) if standing.any() else np.zeros(2)
    lows = _lowest(feet, lean)
    _, tracks, counts = np.unique(ids, return_inverse=True, return_counts=True)
    shares = 1 / counts[tracks]

    def errors(plane: Floats) -> Floats:
        """Return the errors of scale and of the slopes, in standard deviations."""
        heights = lows[:, 1] - lows[:, [0, 2]] @ plane[:2]
        scales = (heights / np.exp(plane[2]) - 1) / HEIGHT_SPREAD
        robust = np.sign(scales) * np.sqrt(np.log1p(scales**2) * shares)  # Cauchy's loss, squared
        return np.concatenate([robust, (plane[:2] - lean) / _SLOPE_SPREADS])

    usual = np.median(lows[:, 1] - lows[:, [0, 2]] @ lean)
    if usual <= 0:  # people above the camera
        return level_camera(USUAL_HEIGHT_M, 0.0)
    a, b, log_c = least_squares(errors, [*lean, np.log(usual)]).x.tolist()
    normal = np.array([a, -1.0, b])
    return pose_above(np.array([*normal, np.exp(log_c)]) / np.linalg.norm(normal))


def pose_above(floor: Floats) -> Floats:
    """Return world_from_camera (4, 4) for a plane of the floor, which is z = 0 in the world.

    The camera is above the origin and looks along x, as that of `level_camera`; where it looks
    straight down, x is up in the image.

    Args:
        floor: (4) in the optical frame: a unit normal that points up, and the camera's height
            above the floor, metres.
    """
    up = floor[:3] / np.linalg.norm(floor[:3])
    ahead = _AHEAD - (_AHEAD @ up) * up
    ahead /= np.linalg.norm(ahead)
    pose = np.eye(4)
    pose[:3, :3] = [ahead, np.cross(up, ahead), up]
    pose[2, 3] = floor[3]
    return pose


def _observe(images: Iterable[tuple[Camera, People]]) -> tuple[Floats, Floats, Integers]:
    """Return soles (n, 8, 3), slopes (n, 2) NaN for people who do not stand, and track ids (n)."""
    feet, slopes, ids = [np.empty((0, 8, 3))], [np.empty((0, 2))], [np.empty(0, np.int64)]
    for camera, people in images:
        seen = are_inside(people.keypoints_px[:, np.ravel(FEET)], camera).all(1)
        feet.append(find_soles(people.rotations, people.joints_m)[seen].reshape(-1, 8, 3))
        slopes.append(_slopes_of(people)[seen])
        ids.append(people.ids[seen])
    return np.concatenate(feet), np.concatenate(slopes), np.concatenate(ids)


def _slopes_of(people: People) -> Floats:
    """Return the slopes (n, 2) of people's axes from ankles to neck; NaN if they are bent."""
    joints = people.joints_m
    legs = joints[:, _LEGS]  # (n, side, joint, 3)
    bones = np.linalg.norm(np.diff(legs, axis=2), axis=-1).sum(-1).mean(-1)
    bones += np.linalg.norm(joints[:, _NECK] - legs[:, :, 0].mean(1), axis=-1)
    axes = joints[:, _NECK] - legs[:, :, 2].mean(1)
    lengths = np.linalg.norm(axes, axis=-1)
    stands = (lengths >= _STRAIGHT * bones) & (axes[:, 1] < -0.5 * lengths)
    down = np.where(stands, -axes[:, 1], np.nan)
    slopes: Floats = axes[:, [0, 2]] / down[:, None]
    return slopes


def _median_of_tracks(slopes: Floats, ids: Integers) -> Floats:
    """Return the median over tracks of their median slopes (2,)."""
    medians = [np.median(slopes[ids == id_], axis=0) for id_ in np.unique(ids)]
    return np.asarray(np.median(medians, axis=0))


def _lowest(feet: Floats, slopes: Floats) -> Floats:
    """Return the lowest (n, 3) of each person's points (n, 8, 3), for the slopes of the floor."""
    heights = feet[..., 1] - feet[..., [0, 2]] @ slopes
    return np.asarray(feet[np.arange(len(feet)), heights.argmax(1)])
