"""Where people stand: metres in the camera's frame, from the crop's camera and the real one.

The network sees a crop through a camera of its own, a weak perspective one. Its 24 keypoints say
where in the image the joints are; the real camera turns those into rays, lens included; the body
says where the joints are to one another. The translation that brings the joints closest to their
rays follows by linear least squares. For a person far away on the optical axis this is the usual
Tz = 2 f / (b s) with crop side b and scale s; nearer, it also holds for what perspective does to a
body that is not flat.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera

HEIGHT_SPREAD = 0.06
"""Standard deviation of adults' heights over their mean: how wrong an estimated size may be."""

FIELD_OF_VIEW_SPREAD = 0.2
"""The same for an assumed focal length over the real one."""

_KEYPOINT_SPREAD_PX = 4.0
_SURFACE_BEFORE_JOINT_M = 0.10
_DEPTH_SPREAD_M = 0.05
_TORSO = np.array([0, 1, 2, 3, 6, 9, 12, 16, 17])  # joints with much body around them
_DEPTH_RANGE_M = (0.1, 100.0)


@dataclass(frozen=True)
class Placement:
    """Where n people are.

    Attributes:
        translations_m: (n, 3) SMPL's translation, added to every joint and vertex, optical frame.
        covariances_m2: (n, 3, 3) of it.
        from_depth: (n) bool, whether a depth image decided the distance.
    """

    translations_m: Floats
    covariances_m2: Floats
    from_depth: NDArray[np.bool_]


def place(joints_m: ArrayLike, keypoints_px: ArrayLike, camera: Camera) -> Placement:
    """Place people by their keypoints.

    Args:
        joints_m: (n, k, 3) posed joints before translation, in the optical frame's axes.
        keypoints_px: (n, k, 2) of the same joints in the image as it was taken.
        camera: of the image.

    Returns:
        The placement; its distances are as uncertain as the size of the bodies, and more where
        the camera's focal length was assumed.
    """
    joints = np.asarray(joints_m, np.float64)
    n, k, _ = joints.shape
    if n == 0:
        return Placement(np.empty((0, 3)), np.empty((0, 3, 3)), np.empty(0, bool))
    plane = camera.unproject(keypoints_px)[..., :2]  # (n, k, 2)
    # A joint at (X, Y, Z) + T is seen at x = (X + Tx) / (Z + Tz): Tx - x Tz = x Z - X.
    system = np.zeros((n, k, 2, 3))
    system[..., 0, 0] = system[..., 1, 1] = 1
    system[..., 2] = -plane
    wanted = plane * joints[..., 2:] - joints[..., :2]
    a = system.reshape(n, 2 * k, 3)
    translations = np.linalg.pinv(a) @ wanted.reshape(n, 2 * k, 1)
    translations = _in_front(translations[..., 0], joints)
    size_spread = HEIGHT_SPREAD if camera.calibrated else FIELD_OF_VIEW_SPREAD
    spread = size_spread * np.linalg.norm(translations, axis=1)
    covariances = _covariances(translations, spread, camera)
    return Placement(translations, covariances, np.zeros(n, bool))


def place_by_depth(
    placement: Placement,
    joints_m: ArrayLike,
    depth_m: NDArray[np.float32],
    camera: Camera,
) -> Placement:
    """Move people along their rays to where an aligned depth image sees them.

    The torso's joints are looked up in the image; the median of what the surface in front of them
    says about the distance decides. People of whom less than half of these joints are measured
    stay where they are.

    Args:
        placement: without depth.
        joints_m: (n, 24, 3) posed joints before translation.
        depth_m: (h, w) metres along the optical axis, aligned with the image; 0, NaN and infinite
            where unknown.
        camera: of the image.
    """
    joints = np.asarray(joints_m, np.float64)[:, _TORSO] + placement.translations_m[:, None]
    seen = np.nan_to_num(camera.project(joints), nan=-1.0).round().astype(np.int64)  # (n, t, 2)
    height, width = depth_m.shape
    inside = np.asarray(((seen >= 0) & (seen < (width, height))).all(-1))
    u, v = np.where(inside[..., None], seen, 0).transpose(2, 0, 1)
    measured = np.where(inside, depth_m[v, u], np.nan).astype(np.float64)
    nearest, farthest = _DEPTH_RANGE_M
    measured = np.where((measured > nearest) & (measured < farthest), measured, np.nan)
    known = np.isfinite(measured).sum(1) * 2 >= len(_TORSO)
    ratios = np.ones((len(joints), len(_TORSO)))
    ratios[known] = (measured + _SURFACE_BEFORE_JOINT_M)[known] / joints[known, :, 2]
    ratio = np.nanmedian(ratios, axis=1)
    # The torso moves along its ray; SMPL's origin is a forearm's length beside it.
    translations = placement.translations_m + (ratio - 1)[:, None] * joints.mean(1)
    spread = np.full(len(joints), _DEPTH_SPREAD_M)
    covariances = np.where(
        known[:, None, None],
        _covariances(translations, spread, camera),
        placement.covariances_m2,
    )
    return Placement(translations, covariances, known)


def _in_front(translations: Floats, joints: Floats) -> Floats:
    """Keep every joint at least a little in front of the camera."""
    nearest = _DEPTH_RANGE_M[0] - joints[..., 2].min(1)
    return np.concatenate(
        [translations[:, :2], np.maximum(translations[:, 2], nearest)[:, None]], 1
    )


def _covariances(translations: Floats, along_m: Floats, camera: Camera) -> Floats:
    """(n, 3, 3): `along_m` along the ray, a few pixels across it."""
    distances = np.linalg.norm(translations, axis=1)
    rays = translations / distances[:, None]
    outer = rays[:, :, None] * rays[:, None, :]
    across = (_KEYPOINT_SPREAD_PX / camera.fx * distances) ** 2
    return np.asarray(
        along_m[:, None, None] ** 2 * outer + across[:, None, None] * (np.eye(3) - outer)
    )
