"""Contact with the floor: which feet touch it, and how far away the people standing on it are.

A plane is (4): a unit normal that points up, and the height of the frame's origin above the plane,
so that normal . x + height = 0 for a point x on it, metres. The optical frame's origin is the
camera. A single image shows neither how tall nor how far away a person is; the point where their
feet meet a known floor gives the distance.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.camera import Camera
from smpler_model.frames import People
from smpler_model.people.bones import chain
from smpler_model.people.foot_motion import FootMotion
from smpler_model.people.placement import (
    HEIGHT_SPREAD,
    OWN_SPREAD_PX,
    SHARED_SPREAD_PX,
    Placement,
)

FOOT_SPREAD_M = 0.04
"""Standard deviation of the height of a sole that touches the floor: errors of the pose."""

TOUCHING_M, LIFTED_M = 0.05, 0.12
"""Heights of a sole up to which it touches the floor, and from which on it does not."""

STILL_M_S, MOVING_M_S = 0.3, 0.9
"""Speeds of a foot up to which it may be planted, and from which on it is not."""

FEET = [
    [SMPL_JOINTS.index(f"{side}_{name}") for name in ("ankle", "foot")]
    for side in ("left", "right")
]
"""Rows of the ankle and the foot on the left and on the right."""

_SOLE_M = np.array([[[0, -0.075, -0.05], [0, -0.075, 0.02]], [[0, -0.022, 0], [0, -0.022, 0.07]]])
"""(2, 2, 3) points of the sole: heel and arch from the ankle, ball and toes from the foot's joint,
along the axes of a resting body (x left, y up, z ahead).
"""
_MOST_SPREADS = 3.0  # gate: standard deviations of body size that may explain a scale
_LEAST_DESCENT = 0.05  # slope of the ray to a foot, below which it is not said to meet the floor


def floor_from_pose(fixed_from_camera: Floats) -> Floats:
    """Return the plane (4) z = 0 of a fixed frame with z up, for a camera's pose (4, 4) in it."""
    return np.array([*fixed_from_camera[2, :3], fixed_from_camera[2, 3]], np.float64)


def move_plane(plane: Floats, target_from_plane: Floats) -> Floats:
    """Return a plane (4) in another frame, by the transform (4, 4) to that frame, metres."""
    normal = target_from_plane[:3, :3] @ plane[:3]
    return np.array([*normal, plane[3] - normal @ target_from_plane[:3, 3]], np.float64)


def mean_plane(planes: Sequence[Floats]) -> Floats:
    """Return the mean of planes (4) in one frame: of their normals, and of their heights."""
    mean = np.stack(planes).mean(0)
    return np.asarray(mean / np.linalg.norm(mean[:3]))


def find_soles(rotations: Floats, joints_m: Floats) -> Floats:
    """Return four points (n, 2, 4, 3) of each left and right sole.

    Args:
        rotations: (n, 24, 3, 3) `parent_from_joint`.
        joints_m: (n, 24, 3) in any frame in which the pelvis's rotation is given.
    """
    bones = chain(rotations)[:, FEET]  # (n, side, ankle and foot, 3, 3)
    offsets = np.einsum("nsbij,bpj->nsbpi", bones, _SOLE_M)
    points: Floats = joints_m[:, FEET][:, :, :, None] + offsets
    return points.reshape(len(joints_m), 2, 4, 3)


def heights_above(floor: Floats, points_m: Floats) -> Floats:
    """Return the heights (...) of points (..., 3) above a plane (4), metres."""
    heights: Floats = points_m @ floor[:3] + floor[3]
    return heights


def footprints(floor: Floats, pelvises_m: Floats) -> Floats:
    """Return the points (n, 3) of the floor below pelvises (n, 3)."""
    below: Floats = pelvises_m - heights_above(floor, pelvises_m)[:, None] * floor[:3]
    return below


def foot_contacts(floor: Floats, soles_m: Floats, speeds_m_s: Floats | None = None) -> Floats:
    """Return (n, 2) whether the left and the right foot touch the floor, 0 to 1.

    Args:
        floor: (4) plane.
        soles_m: (n, 2, 4, 3) of `find_soles`, in the plane's frame.
        speeds_m_s: (n, 2) of the feet against the floor; NaN, or None, where unknown.
    """
    low = _fade(heights_above(floor, soles_m).min(-1), TOUCHING_M, LIFTED_M)
    if speeds_m_s is None:
        return low
    return low * np.where(np.isnan(speeds_m_s), 1.0, _fade(speeds_m_s, STILL_M_S, MOVING_M_S))


def add_contacts(
    people: People,
    motion: FootMotion,
    stamp_ns: int,
    floor: Floats,
    fixed_from_camera: Floats | None,
) -> People:
    """Return people with `foot_contacts` and `footprints_m`.

    Args:
        people: people in the optical frame.
        motion: the feet in earlier images.
        stamp_ns: timestamp of the image.
        floor: (4) plane in the optical frame.
        fixed_from_camera: (4, 4) the camera's pose in the fixed frame; None if it stands still.
    """
    soles = find_soles(people.rotations, people.joints_m)
    matrix = np.eye(4) if fixed_from_camera is None else fixed_from_camera
    feet = soles.mean(2) @ matrix[:3, :3].T + matrix[:3, 3]
    speeds = motion.speeds(stamp_ns, people.ids, feet)
    return replace(
        people,
        foot_contacts=foot_contacts(floor, soles, speeds),
        footprints_m=footprints(floor, people.joints_m[:, 0]),
    )


def place_by_floor(
    placement: Placement,
    rotations: Floats,
    joints_m: Floats,
    keypoints_px: Floats,
    floor: Floats,
    camera: Camera,
    floor_spreads_m: Floats | float = 0.0,
) -> Placement:
    """Move people along their rays to where their lower foot stands on the floor.

    Distance and body size share one unknown scale. It is the mean, weighted by inverse variances,
    of 1 (with the variance of people's sizes) and of the scale at which the lower sole touches the
    floor. People keep their distance if they were placed by depth, if their lower foot is outside
    the image, or if no likely size explains the scale: then they do not stand on this floor, or
    their feet are hidden.

    Args:
        placement: placement by size, or by depth.
        rotations: (n, 24, 3, 3) `parent_from_joint`, the pelvis's in the optical frame.
        joints_m: (n, 24, 3) posed joints before translation.
        keypoints_px: (n, 24, 2) the same joints in the image.
        floor: (4) plane in the optical frame, or (n, 4) one for each person.
        camera: camera of the image, calibrated.
        floor_spreads_m: (n) standard deviations of the plane's height at each person; infinite
            where no floor is known.
    """
    before = placement.translations_m
    placed = joints_m + before[:, None]
    soles = find_soles(rotations, placed)
    planes = np.broadcast_to(floor, (len(before), 4))
    people = np.arange(len(before))
    descents = np.einsum("nsfi,ni->nsf", soles, planes[:, :3])  # below the camera: negative
    side = descents.min(2).argmin(1)
    descent = descents.min(2)[people, side]
    pixels = keypoints_px[people[:, None], np.array(FEET)[side]]
    inside = ((pixels >= 0) & (pixels <= (camera.width - 1, camera.height - 1))).all((1, 2))
    distances = np.linalg.norm(soles.mean((1, 2)), axis=-1)
    pixel_m = distances * np.hypot(OWN_SPREAD_PX, SHARED_SPREAD_PX) / min(camera.fx, camera.fy)
    noise2 = FOOT_SPREAD_M**2 + pixel_m**2 + np.square(floor_spreads_m)
    gap = -planes[:, 3] - descent
    spread2 = HEIGHT_SPREAD**2 * descent**2 + noise2
    gain = HEIGHT_SPREAD**2 * descent / spread2
    known = np.isfinite(floor_spreads_m) & inside & ~placement.from_depth
    known &= descent < -_LEAST_DESCENT * distances
    known &= gap**2 < _MOST_SPREADS**2 * spread2
    change = np.where(known, gain * gap, 0.0)  # of the scale
    middles = placed.mean(1)
    least = (placement.least_depths_m - before[:, 2]) / middles[:, 2]
    change = np.maximum(change, np.minimum(least, 0.0))
    lost = np.where(known, HEIGHT_SPREAD**2 * gain * descent, 0.0)  # of the scale's variance
    covariances = placement.covariances_m2 - lost[:, None, None] * (
        before[:, :, None] * before[:, None, :]
    )
    moved = before + change[:, None] * middles
    return replace(placement, translations_m=moved, covariances_m2=covariances, from_floor=known)


def _fade(values: Floats, full: float, none: float) -> Floats:
    """Return 1 up to `full`, 0 from `none` on, and falling between."""
    return np.clip((none - values) / (none - full), 0, 1)
