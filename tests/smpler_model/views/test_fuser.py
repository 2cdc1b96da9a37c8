"""Views over time."""

from dataclasses import replace

import numpy as np
import pytest

from smpler_model.frames import FrameResult
from smpler_model.views.fuser import ViewFuser
from tests.posed import pose_joints
from tests.smpler_model.views.test_fusion import scene


def at(result: FrameResult, stamp_ns: int, first_id: int, rows: slice) -> FrameResult:
    """Return some people of a result, with track ids from a number on."""
    people = result.people
    n = len(people)
    arrays = {
        name: values[rows]
        for name, values in vars(people).items()
        if isinstance(values, np.ndarray) and len(values) == n
    }
    chosen = replace(people, **arrays)
    return replace(result, stamp_ns=stamp_ns, people=replace(chosen, ids=first_id + chosen.ids))


def test_ids_last_while_people_pass_from_camera_to_camera() -> None:
    left, right = scene(3, 2, 0.0)
    fuser, everybody = ViewFuser(pose_joints), slice(0, 3)
    moments = [(slice(0, 2), everybody), (everybody, everybody), (everybody, slice(1, 3))]
    known: dict[int, int] = {}
    for stamp, (seen_left, seen_right) in enumerate(moments):
        views = {"left": at(left, stamp, 10, seen_left), "right": at(right, stamp, 20, seen_right)}
        ids, people = fuser.fuse(views)
        assert sorted(ids.tolist()) == [0, 1, 2]
        for id_, place in zip(ids.tolist(), people.translations_m, strict=True):
            row = int(np.argmin(np.abs(place[1] - 1.2 * (np.arange(3) - 1.0))))
            assert known.setdefault(row, id_) == id_


def test_a_view_without_a_pose_is_refused() -> None:
    left, right = scene(0, 2, 0.0)
    with pytest.raises(ValueError, match="all views must have a camera pose"):
        ViewFuser(pose_joints).fuse({"left": left, "right": replace(right, pose=None)})
    with pytest.raises(ValueError, match="all views must have a camera pose"):
        ViewFuser(pose_joints).fuse({})
