"""Boxes and tracks while the camera turns."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.cameras.camera import Camera
from smpler_model.detectors.detector import detections_from
from smpler_model.people.camera_turn import turn_boxes
from smpler_model.people.tracker import IdSource, Tracker, TrackerConfig

CAMERA = Camera(640, 480, 400.0, 402.0, 319.5, 239.5, "plumb_bob", (-0.1, 0.02, 0, 0, 0))
RATE_HZ = 10


def yaw(degrees: float) -> np.ndarray:
    """Return `now_from_before` of a camera that has turned to the right."""
    return np.asarray(Rotation.from_euler("y", -degrees, degrees=True).as_matrix())


def box_at(bearing_deg: float, distance_m: float = 4.0) -> list[float]:
    """Return the box around a person of 0.6 m by 1.8 m."""
    turn = Rotation.from_euler("y", bearing_deg, degrees=True)
    x, y = np.meshgrid([-0.3, 0.3], [-0.9, 0.9])
    corners = np.stack([x.ravel(), y.ravel(), np.full(4, distance_m)], 1)
    pixels = CAMERA.project(turn.apply(corners))
    return [*pixels.min(0), *pixels.max(0)]


@given(bearing=st.floats(-18, 18), turned=st.floats(-12, 12))
def test_a_box_is_where_its_person_appears_after_the_turn(bearing: float, turned: float) -> None:
    before, after = box_at(bearing), box_at(bearing - turned)
    found = turn_boxes(np.array([before]), CAMERA, yaw(turned))
    np.testing.assert_allclose(found[0], after, atol=12)


def test_without_a_turn_boxes_stay_and_a_turn_back_returns_them() -> None:
    boxes = np.array([box_at(-15), box_at(10)])
    np.testing.assert_allclose(turn_boxes(boxes, CAMERA, np.eye(3)), boxes, atol=1e-6)
    there = turn_boxes(boxes, CAMERA, yaw(7))
    np.testing.assert_allclose(turn_boxes(there, CAMERA, yaw(-7)), boxes, atol=1.5)


def test_what_leaves_the_field_of_view_stays() -> None:
    boxes = np.array([box_at(10)])
    np.testing.assert_array_equal(turn_boxes(boxes, CAMERA, yaw(120)), boxes)


@pytest.mark.parametrize("is_told", [True, False])
def test_people_keep_their_ids_while_the_camera_turns_quickly(is_told: bool) -> None:
    """Nine people side by side, a turn of 150 degrees a second: each moves to the next's place."""
    tracker = Tracker(IdSource(), TrackerConfig(confirm_frames=1))
    bearings = np.arange(-60.0, 61.0, 15.0)
    step = 15.0
    held: dict[float, set[int]] = {bearing: set() for bearing in bearings}
    for index in range(7):
        camera_at = 0.0 if index < 3 else step * (index - 2)
        if is_told:
            turned = yaw(0.0 if index < 3 else step)
            tracker.move(partial(turn_boxes, camera=CAMERA, now_from_before=turned))
        seen = [bearing for bearing in bearings if abs(bearing - camera_at) < 30]
        boxes = [box_at(bearing - camera_at) for bearing in seen]
        tracks = tracker.update(index * 10**9 // RATE_HZ, detections_from(boxes))
        for box, bearing in zip(boxes, seen, strict=True):
            rows = np.flatnonzero(np.isclose(tracks.boxes_xyxy, box).all(1) & (tracks.states == 1))
            held[bearing] |= {int(tracks.ids[row]) for row in rows}
    changed = sum(len(ids) > 1 for ids in held.values())
    assert (changed == 0) == is_told
