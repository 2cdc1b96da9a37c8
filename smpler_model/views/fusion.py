"""One body from the estimates of several views, in a fixed frame.

Bones are averaged on SO(3), each by how sure the view is of what lies at its end, and less for
turns out of the view's image plane, which an image hardly shows. Shapes are averaged. A view
knows where a person is across its ray, and little of how far away; positions are averaged with
the inverses of their covariances, so that the rays of all views determine them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_PARENTS
from smpler_model.frames import FrameResult, People
from smpler_model.people.bones import chain, unchain
from smpler_model.views.matching import match_views
from smpler_model.views.rotation_mean import mean_by_axis

OUT_OF_PLANE = 0.5
"""Information of a view about turns out of its image plane, over that about turns in it."""

TRUST_POWER = 2
"""Power of the confidences of bones, and of the mean confidences of whole people, as weights."""

LEAST_CONFIDENCE = 0.02
"""Of joints outside an image: they count only where no view shows them."""

_LEAST_SPREAD_M = 1e-4

Pose = Callable[[Floats, Floats], Floats]
"""(n, 24, 3, 3) rotations and (n, 10) shapes -> (n, 24, 3) joints; `Estimator.joints`."""

_PARENTS = np.array(SMPL_PARENTS)
_CHILDREN = (np.arange(len(_PARENTS))[:, None] == _PARENTS).astype(np.float64)
_LEAVES = np.diag((_CHILDREN.sum(1) == 0).astype(np.float64))
_ENDS = (_CHILDREN + _LEAVES) / (_CHILDREN + _LEAVES).sum(1, keepdims=True)
"""(24, 24) the mean over the children of each joint, which show how its bone is turned."""


@dataclass(frozen=True)
class FusedPeople:
    """n people in a fixed frame, each seen in one or more views.

    Attributes:
        rotations: (n, 24, 3, 3) `parent_from_joint`; the pelvis's in the fixed frame.
        betas: (n, 10).
        translations_m: (n, 3) SMPL's translation.
        covariances_m2: (n, 3, 3) covariances of the translations.
        joints_m: (n, 24, 3).
        joint_confidences: (n, 24).
        rows: (n, v) row of each person among the people of each view; -1 where not seen.
    """

    rotations: Floats
    betas: Floats
    translations_m: Floats
    covariances_m2: Floats
    joints_m: Floats
    joint_confidences: Floats
    rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.betas)


@dataclass(frozen=True)
class Sightings:
    """n sightings of people, each by one view, moved to the fixed frame.

    Attributes:
        views: (n) index of the view.
        bones: (n, 24, 3, 3) `fixed_from_joint`.
        betas: (n, 10).
        joints_m: (n, 24, 3).
        covariances_m2: (n, 3, 3).
        rays_m: (n, 3) from the camera to the pelvises.
        confidences: (n, 24).
    """

    views: NDArray[np.intp]
    bones: Floats
    betas: Floats
    joints_m: Floats
    covariances_m2: Floats
    rays_m: Floats
    confidences: Floats


def fuse_views(results: Sequence[FrameResult], pose: Pose) -> FusedPeople:
    """Match the people of several views, and fuse each person's bodies.

    Args:
        results: results of images taken at the same time, with the cameras' poses in one frame.
        pose: poses bodies.

    Raises:
        ValueError: a result without a pose, or poses in different frames.
    """
    poses = [result.pose for result in results if result.pose is not None]
    if not poses or len(poses) < len(results) or len({each.frame_id for each in poses}) > 1:
        found = ["none" if result.pose is None else result.pose.frame_id for result in results]
        raise ValueError(
            f"all views must have a camera pose in one fixed frame, got {found}; set fixed_frame "
            "to a frame that TF connects with all cameras"
        )
    each = [
        sightings_of(result.people, at.fixed_from_camera, view)
        for view, (result, at) in enumerate(zip(results, poses, strict=True))
    ]
    everyone = Sightings(
        *(np.concatenate([getattr(one, f.name) for one in each]) for f in fields(Sightings))
    )
    groups = match_views(
        everyone.views, everyone.joints_m, everyone.covariances_m2, everyone.rays_m
    )
    indices = np.full((len(groups), len(results)), -1)
    for person, group in enumerate(groups):
        indices[person, everyone.views[group]] = group
    starts = np.searchsorted(everyone.views, np.arange(len(results)))
    people = fuse_bodies(everyone, indices, pose)
    return replace(people, rows=np.where(indices >= 0, indices - starts, -1))


def sightings_of(people: People, fixed_from_camera: Floats, view: int) -> Sightings:
    """Return the people of one view.

    Args:
        people: people in the camera's optical frame.
        fixed_from_camera: (4, 4).
        view: index of the view.
    """
    turn, place = fixed_from_camera[:3, :3], fixed_from_camera[:3, 3]
    confidences = people.joint_confidences
    if confidences is None:
        confidences = np.ones(people.joints_m.shape[:2])
    return Sightings(
        views=np.full(len(people), view),
        bones=turn @ chain(people.rotations),
        betas=people.betas,
        joints_m=people.joints_m @ turn.T + place,
        covariances_m2=turn @ people.covariances_m2 @ turn.T,
        rays_m=people.joints_m[:, 0] @ turn.T,
        confidences=confidences,
    )


def fuse_bodies(everyone: Sightings, indices: NDArray[np.intp], pose: Pose) -> FusedPeople:
    """Fuse matched people.

    Args:
        everyone: the sightings of all views.
        indices: (n, v) the sighting of each person by each view; -1 where there is none.
        pose: poses bodies.

    Returns:
        The people, with `indices` as `rows`.
    """
    seen, chosen = (indices >= 0).T, np.maximum(indices, 0).T  # (v, n)
    confidences = np.where(seen[..., None], everyone.confidences[chosen], 0.0)  # (v, n, 24)
    sure = np.where(seen[..., None], np.maximum(confidences, LEAST_CONFIDENCE), 0.0)
    weights = _weigh_turns(sure**TRUST_POWER, everyone.rays_m[chosen])
    rotations = unchain(mean_by_axis(everyone.bones[chosen], weights))
    shares = sure.mean(-1) / sure.mean(-1).sum(0)
    betas = np.einsum("vn,vnb->nb", shares, everyone.betas[chosen])
    local = pose(rotations, betas)
    by_joint = np.where(seen[..., None], sure, 1.0)
    by_joint /= by_joint.sum(-1, keepdims=True)
    offsets = np.einsum("vnj,vnjc->vnc", by_joint, everyone.joints_m[chosen] - local)
    spread = everyone.covariances_m2 + _LEAST_SPREAD_M**2 * np.eye(3)
    trust = (sure.mean(-1) / sure.mean(-1).max(0)) ** TRUST_POWER
    information = np.linalg.inv(spread)[chosen] * (seen * trust)[..., None, None]
    covariances = np.linalg.inv(information.sum(0))
    translations = covariances @ (information @ offsets[..., None]).sum(0)
    return FusedPeople(
        rotations=rotations,
        betas=betas,
        translations_m=translations[..., 0],
        covariances_m2=covariances,
        joints_m=local + translations.swapaxes(-1, -2),
        joint_confidences=1 - np.prod(1 - confidences, 0),
        rows=indices,
    )


def _weigh_turns(sure: Floats, rays_m: Floats) -> Floats:
    """Return the weights (v, n, 24, 3, 3) of turns about the axes of the fixed frame.

    The confidence of what lies at a bone's end; for turns about axes across the ray, a fraction.
    """
    rays = rays_m / np.linalg.norm(rays_m, axis=-1, keepdims=True)
    along = rays[..., :, None] * rays[..., None, :]  # (v, n, 3, 3)
    by_axis = OUT_OF_PLANE * np.eye(3) + (1 - OUT_OF_PLANE) * along
    weights: Floats = (sure @ _ENDS.T)[..., None, None] * by_axis[:, :, None]
    return weights
