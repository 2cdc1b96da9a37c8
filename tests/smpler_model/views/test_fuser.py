"""Views over time."""

from dataclasses import replace

import numpy as np
import pytest

from smpler_model.frames import (
    FrameResult,
    TrackState,
    TranslationSource,
    WorldMotion,
    values_or_nan,
)
from smpler_model.people.floor import floor_from_pose
from smpler_model.views.fuser import FusedResult, ViewFuser
from tests.posed import pose_joints
from tests.smpler_model.views.test_fusion import scene

MS = 1_000_000
EVERYBODY = slice(0, 3)


def at(result: FrameResult, stamp_ms: int, first_id: int, rows: slice) -> FrameResult:
    """Return some people of a result, with track ids from a number on."""
    people = result.people
    n = len(people)
    arrays = {
        name: values[rows]
        for name, values in vars(people).items()
        if isinstance(values, np.ndarray) and len(values) == n
    }
    chosen = replace(people, **arrays)
    chosen = replace(chosen, ids=first_id + chosen.ids)
    return replace(result, stamp_ns=stamp_ms * MS, people=chosen)


def moving(result: FrameResult, velocity_m_s: tuple[float, ...], spread: float) -> FrameResult:
    """Return a result whose people move."""
    n = len(result.people)
    motion = WorldMotion(
        positions_m=np.zeros((n, 3)),
        position_covariances_m2=np.tile(np.eye(3), (n, 1, 1)),
        velocities_m_s=np.tile(velocity_m_s, (n, 1)),
        velocity_covariances_m2_s2=np.tile(spread**2 * np.eye(3), (n, 1, 1)),
        facings_rad=np.zeros(n),
    )
    return replace(result, people=replace(result.people, motion=motion))


def on_floor(result: FrameResult, height_m: float | None) -> FrameResult:
    """Return a result whose floor is at this height in the fixed frame; None if unknown."""
    assert result.pose is not None
    if height_m is None:
        return replace(result, floor=None)
    ground = floor_from_pose(result.pose.fixed_from_camera)
    return replace(result, floor=ground - (0, 0, 0, height_m))


def fuser_of(cameras: tuple[str, ...] = ("left", "right"), **kwargs: object) -> ViewFuser:
    return ViewFuser(cameras, 0.02, pose_joints, **kwargs)  # type: ignore[arg-type]


def test_ids_last_while_people_pass_from_camera_to_camera() -> None:
    left, right = scene(3, 2, 0.0)
    fuser = fuser_of()
    moments = [(slice(0, 2), EVERYBODY), (EVERYBODY, EVERYBODY), (EVERYBODY, slice(1, 3))]
    known: dict[int, int] = {}
    for stamp, (seen_left, seen_right) in enumerate(moments):
        (fused,) = fuser.fuse(
            {
                "left": at(left, 33 * stamp, 10, seen_left),
                "right": at(right, 33 * stamp + 5, 20, seen_right),
            }
        )
        people = fused.people
        assert fused.stamp_ns == (33 * stamp + 5) * MS
        assert sorted(people.ids.tolist()) == [0, 1, 2]
        for id_, place in zip(people.ids.tolist(), people.translations_m, strict=True):
            row = int(np.argmin(np.abs(place[1] - 1.2 * (np.arange(3) - 1.0))))
            assert known.setdefault(row, id_) == id_


def test_ids_last_where_moments_would_overlap() -> None:
    left, right = scene(3, 2, 0.0)
    fuser = fuser_of()
    results = [
        {"left": at(left, 55, 10, EVERYBODY)},
        {"right": at(right, 65, 20, EVERYBODY)},
        {"left": at(left, 60, 10, EVERYBODY)},
        {"left": at(left, 100, 10, EVERYBODY)},
        {"right": at(right, 101, 20, EVERYBODY)},
    ]
    found = [fused for each in results for fused in fuser.fuse(each)]
    assert [fused.stamp_ns for fused in found] == [65 * MS, 101 * MS]
    assert found[0].people.ids.tolist() == found[1].people.ids.tolist()


def test_people_are_described_in_the_fixed_frame() -> None:
    left, right = scene(3, 2, 0.0)
    left = moving(left, (1.0, 0.0, 0.0), 0.1)
    right = moving(right, (0.0, 1.0, 0.0), 0.2)
    right = replace(right, people=replace(right.people, scores=np.array([0.9, 0.4, 0.8])))
    left = replace(left, people=replace(left.people, scores=np.full(3, 0.6)))
    views = {"left": at(left, 0, 10, EVERYBODY), "right": at(right, 5, 20, slice(0, 2))}
    (fused,) = fuser_of().fuse(views)
    people = fused.people
    assert (fused.frame_id, fused.floor) == ("map", None)
    assert dict(fused.stamps_ns) == {"left": 0, "right": 5 * MS}
    rows = [fused.tracks.index(each) for each in ({"left": 10, "right": 20}, {"left": 12})]
    assert people.sources[rows].tolist() == [TranslationSource.VIEWS, TranslationSource.BODY_SIZE]
    np.testing.assert_allclose(people.scores[rows], [0.9, 0.6])
    assert (people.states == TrackState.CONFIRMED).all()
    assert np.isnan(people.boxes_xyxy).all()
    assert people.motion is not None
    np.testing.assert_array_equal(people.motion.positions_m, people.joints_m[:, 0])
    velocities = people.motion.velocities_m_s[rows]  # the surer view counts four times
    np.testing.assert_allclose(velocities, [[0.8, 0.2, 0], [1, 0, 0]], atol=1e-9)
    spreads = people.motion.velocity_covariances_m2_s2[rows, 0, 0]
    np.testing.assert_allclose(spreads, [1 / 125, 0.01])


@pytest.mark.parametrize(
    ("heights_m", "mean_m"), [((0.0, 0.0), 0.0), ((-0.3, -0.5), -0.4), ((None, 0.2), 0.2)]
)
def test_footprints_lie_on_the_floor_that_the_views_know(
    heights_m: tuple[float | None, float], mean_m: float
) -> None:
    results = map(on_floor, scene(3, 2, 0.0), heights_m)
    (fused,) = fuser_of().fuse(dict(zip(("left", "right"), results, strict=True)))
    assert fused.floor is not None
    np.testing.assert_allclose(fused.floor, [0, 0, 1, -mean_m], atol=1e-12)
    footprints = fused.people.footprints_m
    assert footprints is not None
    np.testing.assert_allclose(footprints[:, :2], fused.people.joints_m[:, 0, :2])
    np.testing.assert_allclose(footprints[:, 2], mean_m, atol=1e-12)


@pytest.mark.parametrize(("absence_s", "is_known"), [(0.0, False), (60.0, True)])
def test_ids_last_for_as_long_as_tracks_may_be_absent(absence_s: float, is_known: bool) -> None:
    left, right = scene(3, 2, 0.0)
    fuser = fuser_of(absence_s=absence_s)
    ids = []
    for stamp_ms, rows in ((0, EVERYBODY), (20_000, slice(0, 0)), (30_000, EVERYBODY)):
        views = {"left": at(left, stamp_ms, 10, rows), "right": at(right, stamp_ms, 20, rows)}
        (fused,) = fuser.fuse(views)
        ids.append(set(fused.people.ids.tolist()))
    assert len(ids[0]) == len(ids[2]) == 3
    assert ids[2] == ids[0] if is_known else not ids[2] & ids[0]


def test_a_camera_without_which_people_are_fused_is_reported_with_the_reason() -> None:
    left, right = scene(3, 2, 0.0)
    said: list[tuple[str, str]] = []
    fuser = fuser_of(report=lambda name, sentence: said.append((name, sentence)))
    assert fuser.fuse({"left": at(left, 0, 10, EVERYBODY)}) == []
    unknown = replace(at(right, 5, 20, EVERYBODY), pose=None)
    assert fuser.fuse({"right": unknown}) == []  # its next image might be in time
    (fused,) = fuser.fuse({"right": at(right, 60, 20, EVERYBODY)})
    assert [dict(each) for each in fused.tracks] == [{"left": id_} for id_ in (10, 11, 12)]
    (sentence,) = said
    assert sentence[0] == "right"
    assert "within 0.02 s" in sentence[1]
    said.clear()
    fuser.reset()
    fuser.fuse({"left": at(left, 100, 10, EVERYBODY)})
    fuser.fuse({"right": replace(at(right, 160, 20, EVERYBODY), pose=None)})
    assert "the camera's pose in a fixed frame, got none" in said[0][1]


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_restored_fuser_goes_on_as_if_it_had_not_stopped(cut: int) -> None:
    left, right = map(on_floor, scene(5, 2, 1.0), (0.3, None))
    results = [
        {"left": at(left, 0, 10, EVERYBODY)},
        {"right": at(right, 3, 20, slice(1, 3))},
        {"right": at(right, 36, 20, EVERYBODY)},
        {"left": at(left, 66, 10, slice(0, 2)), "right": at(right, 69, 20, EVERYBODY)},
        {"left": at(left, 99, 40, EVERYBODY)},
        {"left": at(left, 132, 40, EVERYBODY)},
        {"right": at(right, 135, 20, EVERYBODY)},
    ]
    first, second = fuser_of(), fuser_of()
    expected = [fused for each in results for fused in first.fuse(each)]
    found: list[FusedResult] = []
    for number, each in enumerate(results):
        if number == cut:
            arrays = second.snapshot()
            assert all(values.dtype != object for values in arrays.values())
            second = fuser_of()
            second.restore(arrays)
        found += second.fuse(each)
    assert len(found) == len(expected) == 5
    for one, other in zip(found, expected, strict=True):
        assert one.tracks == other.tracks
        assert (one.floor is not None) == ("left" in one.stamps_ns)
        floors = [values_or_nan(each.floor, 4) for each in (one, other)]
        np.testing.assert_array_equal(*floors)
        np.testing.assert_array_equal(one.people.ids, other.people.ids)
        np.testing.assert_array_equal(one.people.joints_m, other.people.joints_m)
