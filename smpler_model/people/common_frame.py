"""People in another frame, and the labelled people of several cameras in one frame."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.frames import People

SAME_PERSON_M = 0.3
"""Distance up to which the true pelvises of two cameras are one person's.

Two people are hardly ever closer. It covers the distance that a person walks between two
images of a moment.
"""

_PELVIS = 0
_IDS_OF_A_CAMERA = 1_000_000


def move_people(people: People, target_from_people: Floats) -> People:
    """Return people in another frame.

    SMPL turns bodies about the pelvis, which its translation is not; so the translation is moved
    with the pelvis. What belongs to the image or to the fixed frame stays as it is.

    Args:
        people: n people with known joints; translations are NaN where those are.
        target_from_people: (4, 4) transform, metres.
    """
    turn, place = target_from_people[:3, :3], target_from_people[:3, 3]
    rotations = people.rotations.copy()
    rotations[:, _PELVIS] = turn @ rotations[:, _PELVIS]
    joints_m = people.joints_m @ turn.T + place
    offsets_m = people.translations_m - people.joints_m[:, _PELVIS]
    vertices, footprints = people.vertices_m, people.footprints_m
    return replace(
        people,
        rotations=rotations,
        translations_m=joints_m[:, _PELVIS] + offsets_m,
        covariances_m2=turn @ people.covariances_m2 @ turn.T,
        joints_m=joints_m,
        vertices_m=None if vertices is None else (vertices @ turn.T + place).astype(np.float32),
        footprints_m=None if footprints is None else footprints @ turn.T + place,
    )


def join_truths(cameras: Sequence[People]) -> People:
    """Return the true people of several cameras, each once, as the first camera gives them.

    Ids of two people that are the same in two cameras are made different.

    Args:
        cameras: true people of at least one camera, all in one frame.
    """
    joined = cameras[0]
    for number, people in enumerate(cameras[1:], start=1):
        new = rows_of(people, ~np.any(are_same(people, joined), axis=1))
        taken = np.isin(new.ids, joined.ids)
        new = replace(new, ids=new.ids + taken * number * _IDS_OF_A_CAMERA)
        joined = _concatenate(joined, new)
    return joined


def are_same(people: People, others: People) -> NDArray[np.bool_]:
    """Return (n, m) whether true people, in one frame, are one person."""
    apart = people.joints_m[:, None, _PELVIS] - others.joints_m[None, :, _PELVIS]
    return np.asarray(np.linalg.norm(apart, axis=-1) <= SAME_PERSON_M)


def rows_of(people: People, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> People:
    """Return some of the people, by a mask or by rows, without their motion."""
    arrays: dict[str, Any] = {
        each.name: values[chosen]
        for each in fields(People)
        if isinstance(values := getattr(people, each.name), np.ndarray)
    }
    return replace(people, **arrays, motion=None)


def _concatenate(people: People, others: People) -> People:
    """Return both; what only one of them knows is unknown."""
    pairs = {
        each.name: (getattr(people, each.name), getattr(others, each.name))
        for each in fields(People)
    }
    arrays: dict[str, Any] = {
        name: np.concatenate(pair)
        for name, pair in pairs.items()
        if all(isinstance(each, np.ndarray) for each in pair)
    }
    return People(**arrays)
