"""How sure each joint of a person is: was it seen, and does the network agree with itself?

Three things make a joint unsure. It projects outside the image. A limb of another person, or of
the person's own body, lies between it and the camera: limbs are capsules around the bones, so
this takes no mesh and no rasteriser. And the network's last refinement moved it more than it
usually moves joints, so that its last two estimates disagree. The rest of the body counts too:
where much of it was not seen or has moved, none of its joints is sure.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from smpler_model.cameras.camera import Camera
from smpler_model.people.bones import nearest_to_rays

HALF_SURE = 2.75
"""A body that the last refinement moved by this many usual changes has a confidence of 1 / 2."""

HIDDEN_BY_BODY, HIDDEN_BY_OTHERS = 0.8, 0.4
"""Confidence of a hidden joint on which the network agrees with itself.

Behind the person's own body a joint is near visible parts; behind another person, nothing shows
where it is.
"""

UNSEEN_BODY = 0.2
"""Confidence of the joints in view of a body that is mostly outside the image or occluded."""

_RADII_M = {
    **dict.fromkeys(("left_hip", "right_hip", "spine1", "spine2"), 0.12),
    **dict.fromkeys(("spine3", "left_collar", "right_collar"), 0.11),
    **dict.fromkeys(("left_knee", "right_knee"), 0.07),
    **dict.fromkeys(("left_ankle", "right_ankle"), 0.05),
    **dict.fromkeys(("left_foot", "right_foot"), 0.04),
    **dict.fromkeys(("neck", "left_shoulder", "right_shoulder"), 0.07),
    "head": 0.09,
    **dict.fromkeys(("left_elbow", "right_elbow"), 0.045),
    **dict.fromkeys(("left_wrist", "right_wrist"), 0.035),
    **dict.fromkeys(("left_hand", "right_hand"), 0.04),
}
"""Radius of the limb between each joint and its parent, in bodies of average size."""

_ENDS = np.arange(1, len(SMPL_JOINTS))
_STARTS = np.array(SMPL_PARENTS[1:])
_LIMB_RADII_M = np.array([_RADII_M[SMPL_JOINTS[end]] for end in _ENDS])
_JOINT_RADII_M = np.zeros(len(SMPL_JOINTS))  # around each joint: the thickest of its limbs
np.maximum.at(_JOINT_RADII_M, _ENDS, _LIMB_RADII_M)
np.maximum.at(_JOINT_RADII_M, _STARTS, _LIMB_RADII_M)
_EDGE = 0.3  # of a limb's radius, over which a hidden joint comes into view
_SHORTEST_M = 1e-6


class Hidden(NamedTuple):
    """How far limbs hide each joint from the camera, (n, 24): 0 in view, 1 hidden.

    Attributes:
        by_body: by limbs of the same body.
        by_others: by those of other people.
    """

    by_body: Floats
    by_others: Floats


def joint_confidences(
    joints_m: Floats, keypoints_px: Floats, changes: Floats, camera: Camera
) -> Floats:
    """Return the confidence (n, 24) of each joint, 0 to 1.

    Args:
        joints_m: (n, 24, 3) everybody's joints in the camera's optical frame.
        keypoints_px: (n, 24, 2) their projections; NaN where the lens does not image them.
        changes: (n, 24) how far the network's last refinement moved them, in usual changes, see
            `Estimator.usual_change_m`.
        camera: camera of the image.

    Returns:
        0 outside the image. Elsewhere a product of 1 / (1 + change^2 / `HALF_SURE`^2), with the
        mean of the joint's and the whole body's squared changes; of 1 for joints in view,
        `HIDDEN_BY_BODY` and `HIDDEN_BY_OTHERS` for hidden ones; and of a factor that falls to
        `UNSEEN_BODY` with the share of the body that is outside or behind others.
    """
    inside, hidden = are_inside(keypoints_px, camera), find_hidden(joints_m)
    squares = (changes**2 + (changes**2).mean(1, keepdims=True)) / 2
    agreement = 1 / (1 + squares / HALF_SURE**2)
    unseen = np.where(inside, hidden.by_others, 1.0).mean(1, keepdims=True)
    seen = _fall(hidden.by_body, HIDDEN_BY_BODY) * _fall(hidden.by_others, HIDDEN_BY_OTHERS)
    return np.where(inside, agreement * seen * _fall(unseen, UNSEEN_BODY), 0.0)


def are_inside(keypoints_px: Floats, camera: Camera) -> NDArray[np.bool_]:
    """Return (...) whether pixels (..., 2) lie in the camera's image; not if they are NaN."""
    size = (camera.width - 0.5, camera.height - 0.5)
    return np.asarray(((keypoints_px >= -0.5) & (keypoints_px <= size)).all(-1))


def find_hidden(joints_m: Floats) -> Hidden:
    """Return how far limbs hide each joint from the camera.

    A limb hides a joint if the ray to the joint passes through it, and it lies before the joint by
    more than its own radius and the joint's; so a joint's own limbs never hide it.

    Args:
        joints_m: (n, 24, 3) everybody's joints in the camera's optical frame.
    """
    hidden = Hidden(np.zeros(joints_m.shape[:2]), np.zeros(joints_m.shape[:2]))
    distances_m = np.linalg.norm(joints_m, axis=-1)
    if len(joints_m) == 0:
        return hidden
    rays = joints_m / np.maximum(distances_m, _SHORTEST_M)[..., None]
    seen_by, hidden_by = _close_pairs(joints_m)
    across_m, along_m = nearest_to_rays(
        rays[seen_by], joints_m[hidden_by][:, _STARTS], joints_m[hidden_by][:, _ENDS]
    )
    before_m = distances_m[seen_by][:, :, None] - along_m  # (pairs, 24, 23)
    free_m = _LIMB_RADII_M + _JOINT_RADII_M[:, None]
    covered = np.clip((_LIMB_RADII_M - across_m) / (_EDGE * _LIMB_RADII_M), 0, 1)
    covers = np.where((before_m > free_m) & (along_m > 0), covered, 0).max(-1)
    own = seen_by == hidden_by
    np.maximum.at(hidden.by_body, seen_by[own], covers[own])
    np.maximum.at(hidden.by_others, seen_by[~own], covers[~own])
    return hidden


def _fall(shares: Floats, lowest: float) -> Floats:
    """Return factors that fall from 1 to the lowest as shares rise from 0 to 1."""
    return 1 - (1 - lowest) * shares


def _close_pairs(joints_m: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of people (rows, rows) in which the second may hide the first.

    Each person may hide themselves. Another must be nearer somewhere, and the cones around both
    people as seen from the camera must overlap.
    """
    middles = joints_m.mean(1)
    distances = np.linalg.norm(middles, axis=-1)
    reach = np.linalg.norm(joints_m - middles[:, None], axis=-1).max(1) + _LIMB_RADII_M.max()
    half_angles = np.arcsin(np.minimum(reach / np.maximum(distances, reach), 1))
    directions = middles / np.maximum(distances, _SHORTEST_M)[:, None]
    angles = np.arccos(np.clip(directions @ directions.T, -1, 1))
    overlap = angles < half_angles[:, None] + half_angles
    nearer = distances - reach < (distances + reach)[:, None]
    return np.nonzero(overlap & nearer | np.eye(len(joints_m), dtype=np.bool_))  # type: ignore[return-value]
