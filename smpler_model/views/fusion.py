"""One body from the estimates of several views, in a fixed frame.

The joints are triangulated (see `triangulation`), which also gives position and size. Bones are
averaged on SO(3), weighted by the view's confidence in the joints at their ends, and less for
turns out of the view's image plane, which an image hardly shows. Then each bone is turned most of
the way to the joints at its end. Shapes are averaged, and made taller or shorter by the size.
Views that show a person back to front are outvoted (see `facing`): only their rays count, with
left and right exchanged where they then agree better.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import MIRRORED_JOINTS, SMPL_JOINTS, SMPL_PARENTS, SMPL_SHAPE_COUNT
from smpler_model.people.bones import unchain
from smpler_model.views.facing import facings_of, find_reversed
from smpler_model.views.matching import match_views, pair_costs
from smpler_model.views.memory import ViewMemory
from smpler_model.views.rotation_mean import mean_by_axis, nearest_rotation
from smpler_model.views.sightings import Sightings, join
from smpler_model.views.triangulation import ACROSS_M, Triangulation, triangulate

OUT_OF_PLANE = 0.5
"""Information of a view about turns out of its image plane, over that about turns in it."""

LARGE_TURN = 0.15
"""Angle between a bone in one view and in all, beyond which the view counts less, rad."""

STIFFNESS = 0.1
"""How much the mean of a bone's turns counts, over where the joints at its end are."""

REVERSED = 0.02
"""How much a view's turns of bones count whose facing was outvoted, over those of others."""

FOREKNOWN = 1.0
"""How much worse joints of a view whose facing was outvoted may agree with sides exchanged."""

_LEAST_SPREAD_M = 1e-4
_SHAPE_STEP_M = 0.01  # misfit of a joint that is worth one standard deviation of the shape

Pose = Callable[[Floats, Floats], Floats]
"""(n, 24, 3, 3) rotations and (n, 10) shapes -> (n, 24, 3) joints; `BodyJoints`."""

_JOINTS = len(SMPL_JOINTS)
_PARENTS = np.array(SMPL_PARENTS)
_CHILDREN = (np.arange(_JOINTS)[:, None] == _PARENTS).astype(np.float64)
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


def fuse_views(
    views: Sequence[Sightings], pose: Pose, memory: ViewMemory | None = None
) -> FusedPeople:
    """Match the people of several views, and fuse each person's bodies.

    Args:
        views: people in images taken at the same time, in one fixed frame; at least one view.
        pose: poses bodies.
        memory: the past at this moment, to which it is added; tracks' ids are then unique over
            all views. None if there is none.
    """
    everyone = join(views)
    counts = [len(view) for view in views]
    owners = np.repeat(np.arange(len(views)), counts)
    costs = pair_costs(owners, everyone)
    if memory is not None:
        costs = memory.average(everyone.ids, costs)
    groups = match_views(costs)
    indices = np.full((len(groups), len(views)), -1)
    for person, group in enumerate(groups):
        indices[person, owners[group]] = group
    starts = np.cumsum([0, *counts[:-1]])
    if memory is None:
        people = fuse_bodies(everyone, indices, pose)
    else:
        people = _fuse_expected(everyone, indices, pose, memory)
    return replace(people, rows=np.where(indices >= 0, indices - starts, -1))


def _fuse_expected(
    everyone: Sightings, indices: NDArray[np.intp], pose: Pose, memory: ViewMemory
) -> FusedPeople:
    """Fuse people who probably face as they did, and remember how they face."""
    people, views = np.nonzero(indices >= 0)
    ids = everyone.ids[indices[people, views]]
    before = np.zeros((*indices.shape, 3))
    before[people, views] = memory.expect(ids)
    fused = fuse_bodies(everyone, indices, pose, before.sum(1) / (indices >= 0).sum(1)[:, None])
    memory.keep(ids, facings_of(fused.rotations)[people])
    return fused


def fuse_bodies(
    everyone: Sightings,
    indices: NDArray[np.intp],
    pose: Pose,
    expected: Floats | None = None,
) -> FusedPeople:
    """Fuse matched people.

    Args:
        everyone: the sightings of all views.
        indices: (n, v) the sighting of each person by each view; -1 where there is none.
        pose: poses bodies.
        expected: (n, 3) how they should face, see `facing.find_reversed`; None if unknown.

    Returns:
        The people, with `indices` as `rows`.
    """
    seen, chosen = (indices >= 0).T, np.maximum(indices, 0).T  # (v, n)
    confidences = np.where(seen[..., None], everyone.confidences[chosen], 0.0)  # (v, n, 24)
    sure = np.where(seen[..., None], everyone.sure[chosen], 0.0)
    joints, bones = everyone.joints_m[chosen], everyone.bones[chosen]
    rays = joints[:, :, 0] - everyone.cameras_m[chosen]
    before = np.zeros((len(indices), 3)) if expected is None else expected
    opposed = find_reversed(facings_of(bones), rays, sure.mean(-1), before)
    spreads = everyone.spreads[chosen]
    triangulated = triangulate_sides(joints, everyone.cameras_m[chosen], sure, spreads, opposed)
    posed = np.where(opposed, REVERSED, 1.0)[..., None] * sure
    bones = mean_by_axis(bones, _weigh_turns(posed, rays), LARGE_TURN)
    shares = sure.mean(-1) / sure.mean(-1).sum(0)  # (v, n)
    betas = np.einsum("vn,vnb->nb", shares, everyone.betas[chosen])
    betas = scale_shapes(betas, (shares * triangulated.factors).sum(0), pose)
    bones = turn_to_joints(bones, pose(unchain(bones), betas), triangulated.joints_m)
    rotations = unchain(bones)
    local = pose(rotations, betas)
    weights = sure.sum(0) / ACROSS_M**2  # (n, 24)
    offsets = np.einsum("nj,njc->nc", weights, triangulated.joints_m - local)
    translations = offsets / weights.sum(-1, keepdims=True)
    return FusedPeople(
        rotations=rotations,
        betas=betas,
        translations_m=translations,
        covariances_m2=_join_covariances(everyone.covariances_m2[chosen], sure.mean(-1)),
        joints_m=local + translations[:, None],
        joint_confidences=1 - np.prod(1 - confidences, 0),
        rows=indices,
    )


def triangulate_sides(
    joints_m: Floats,
    cameras_m: Floats,
    weights: Floats,
    spreads: Floats,
    opposed: NDArray[np.bool_],
) -> Triangulation:
    """Triangulate joints, left and right exchanged where they then agree better.

    The pelvis alone may be turned wrongly, while the limbs have their right names; so it is the
    rays that decide, with the vote as one more sign (`FOREKNOWN`).

    Args:
        joints_m: see `triangulate`, as the next three.
        cameras_m: of the views.
        weights: of the joints.
        spreads: of the distances.
        opposed: (v, n) the views in which the sides may be exchanged.
    """
    plain = triangulate(joints_m, cameras_m, weights, spreads)
    if not opposed.any():
        return plain
    exchanged = np.where(opposed[..., None, None], joints_m[:, :, MIRRORED_JOINTS], joints_m)
    other = triangulate(exchanged, cameras_m, weights, spreads)
    better = other.shifts + other.misfits < plain.shifts + plain.misfits + FOREKNOWN  # (n)
    return Triangulation(
        joints_m=np.where(better[:, None, None], other.joints_m, plain.joints_m),
        factors=np.where(better, other.factors, plain.factors),
        shifts=np.where(better, other.shifts, plain.shifts),
        misfits=np.where(better, other.misfits, plain.misfits),
    )


def scale_shapes(betas: Floats, factors: Floats, pose: Pose) -> Floats:
    """Return shapes (n, 10) whose skeletons are larger by factors (n), as far as shapes can.

    Skeletons are linear in the shape: ridge regression finds the smallest change of it.
    """
    shapes = np.concatenate([np.zeros((1, SMPL_SHAPE_COUNT)), np.eye(SMPL_SHAPE_COUNT)])
    still = np.tile(np.eye(3), (len(shapes), _JOINTS, 1, 1))
    rest = pose(still, shapes)
    rest = (rest - rest[:, :1]).reshape(len(shapes), -1)
    slopes = (rest[1:] - rest[0]).T  # (72, 10)
    normal = slopes.T @ slopes + _SHAPE_STEP_M**2 * np.eye(SMPL_SHAPE_COUNT)
    wanted = (factors - 1)[:, None] * (rest[0] + betas @ slopes.T)
    return np.asarray(betas + np.linalg.solve(normal, slopes.T @ wanted.T).T)


def turn_to_joints(bones: Floats, local_m: Floats, joints_m: Floats) -> Floats:
    """Return bones (n, 24, 3, 3) turned towards where joints are.

    Args:
        bones: (n, 24, 3, 3) `fixed_from_joint`.
        local_m: (n, 24, 3) the joints of a body with these bones.
        joints_m: (n, 24, 3) where they are. The turn R brings
            sum |R p - q|^2 + `STIFFNESS` |p|^2 |R - I|^2 / 2 to its minimum, with p and q from
            the bone's joint to its children.
    """
    own, there = (each[:, 1:] - each[:, _PARENTS[1:]] for each in (local_m, joints_m))
    above = _CHILDREN[:, 1:]
    products = np.einsum("jc,nca,ncb->njab", above, there, own)
    kept = (own**2).sum(-1) @ above.T + (above.sum(1) == 0)
    turns = nearest_rotation(products + STIFFNESS * kept[..., None, None] * np.eye(3))
    return np.asarray(turns @ bones)


def _join_covariances(covariances_m2: Floats, trust: Floats) -> Floats:
    """Return (n, 3, 3) of the fused from (v, n, 3, 3); the surest view counts fully."""
    information = np.linalg.inv(covariances_m2 + _LEAST_SPREAD_M**2 * np.eye(3))
    return np.linalg.inv((information * (trust / trust.max(0))[..., None, None]).sum(0))


def _weigh_turns(sure: Floats, rays_m: Floats) -> Floats:
    """Return the weights (v, n, 24, 3, 3) of turns about the axes of the fixed frame.

    The confidence of what lies at a bone's end; for turns about axes across the ray, a fraction.
    """
    rays = rays_m / np.linalg.norm(rays_m, axis=-1, keepdims=True)
    along = rays[..., :, None] * rays[..., None, :]  # (v, n, 3, 3)
    by_axis = OUT_OF_PLANE * np.eye(3) + (1 - OUT_OF_PLANE) * along
    weights: Floats = (sure @ _ENDS.T)[..., None, None] * by_axis[:, :, None]
    return weights
