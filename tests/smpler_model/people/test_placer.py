"""Which of keypoints, depth and floor place people, and what is remembered of the floor."""

from dataclasses import replace

import numpy as np
import pytest

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.builtin import load_builtin_body
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.frames import CameraPose, Frame, TrackState
from smpler_model.inference.estimator import Estimates
from smpler_model.people.placement import Placement
from smpler_model.people.placer import Placer, Unplaced
from smpler_model.people.tracker import Tracks
from tests.posed import pose_joints
from tests.smpler_model.people.test_floor import CAMERA, stand

HEIGHT_M, PITCH_DEG = 1.6, 12.0
POSE = CameraPose("map", level_camera(HEIGHT_M, PITCH_DEG))
STEP_NS = 200_000_000
TALL = 1.1


def placer() -> Placer:
    return Placer(load_builtin_body)


def frame(index: int = 0, **known: object) -> Frame:
    rgb = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    return Frame(rgb, index * STEP_NS, "optical", CAMERA, **known)  # type: ignore[arg-type]


def see(
    *ahead_m: float, first_id: int = 0, size: float = TALL, camera: Camera = CAMERA
) -> tuple[Unplaced, np.ndarray]:
    """Return people of one size who stand ahead, each of whom the network takes for average.

    Returns:
        What a network without errors but that of size sees, and the true pelvises (n, 3).
    """
    stood = [stand(HEIGHT_M, PITCH_DEG, each, size) for each in ahead_m]
    rotations, joints_m = (np.concatenate([each[part] for each in stood]) for part in (1, 2))
    n, keypoints_px = len(stood), camera.project(joints_m)
    local = pose_joints(rotations, np.zeros((n, 10)))
    nowhere, unchanged = np.zeros((n, 24, 2)), np.zeros((n, 24))
    shapes, cameras = np.zeros((n, 10)), np.zeros((n, 3))
    estimates = Estimates(rotations, shapes, cameras, local, nowhere, unchanged)
    ids, states = np.arange(n) + first_id, np.full(n, TrackState.CONFIRMED, np.uint8)
    tracks = Tracks(ids, np.zeros((n, 4)), np.ones(n), states)
    return Unplaced(tracks, estimates, keypoints_px, camera), joints_m[:, 0]


def place(
    of: Placer, image: Frame, seen: Unplaced, *, use_floor: bool = False, from_feet: bool = False
) -> tuple[Placement, np.ndarray | None]:
    return of.place(image, seen, use_floor=use_floor, floor_from_feet=from_feet)


def errors_m(placement: Placement, seen: Unplaced, pelvises_m: np.ndarray) -> np.ndarray:
    """Return how far (n) the pelvises are from where they should be."""
    placed_m = placement.translations_m + seen.estimates.joints_m[:, 0]
    return np.asarray(np.linalg.norm(placed_m - pelvises_m, axis=1))


def test_the_known_floor_places_who_stands_on_it() -> None:
    seen, pelvises_m = see(3.0, 4.0)
    by_size, nothing = place(placer(), frame(pose=POSE), seen)
    by_floor, floor = place(placer(), frame(pose=POSE), seen, use_floor=True)
    assert nothing is None
    assert not by_size.from_floor.any()
    assert by_floor.from_floor.all()
    assert floor is not None
    assert floor[3] == pytest.approx(HEIGHT_M)
    before, after = (errors_m(each, seen, pelvises_m) for each in (by_size, by_floor))
    assert (after < 0.5 * before).all()


def test_the_floor_moves_nobody_in_an_uncalibrated_camera_or_without_a_pose() -> None:
    seen, _ = see(3.0, camera=replace(CAMERA, calibrated=False))
    placement, floor = place(placer(), frame(pose=POSE), seen, use_floor=True)
    assert floor is not None
    assert not placement.from_floor.any()
    placement, floor = place(placer(), frame(), see(3.0)[0], use_floor=True)
    assert floor is None
    assert not placement.from_floor.any()


def test_a_depth_image_goes_before_the_floor() -> None:
    seen, pelvises_m = see(3.0)
    depth_m = np.full((CAMERA.height, CAMERA.width), pelvises_m[0, 2] - 0.1, np.float32)
    placement, _ = place(placer(), frame(pose=POSE, depth_m=depth_m), seen, use_floor=True)
    assert placement.from_depth.tolist() == [True]
    assert placement.from_floor.tolist() == [False]
    assert errors_m(placement, seen, pelvises_m)[0] < 0.1


def test_the_body_is_loaded_once_and_for_depth_alone() -> None:
    loaded: list[BodyArrays] = []

    def load() -> BodyArrays:
        loaded.append(load_builtin_body())
        return loaded[-1]

    of, (seen, _) = Placer(load), see(3.0)
    place(of, frame(), seen)
    assert not loaded
    for index in range(2):
        depth_m = np.full((CAMERA.height, CAMERA.width), 3.0, np.float32)
        place(of, frame(index, depth_m=depth_m), seen)
    assert len(loaded) == 1


def watch_others(of: Placer, state: TrackState = TrackState.CONFIRMED) -> None:
    """Let eight people of average size stand there, one after the other."""
    for index in range(8):
        seen, _ = see(2.5 + 0.4 * index, first_id=index, size=1.0)
        seen.tracks.states[:] = state
        for image in range(10):
            place(of, frame(10 * index + image), seen, from_feet=True)


def test_the_feet_of_earlier_people_place_the_next() -> None:
    of = placer()
    first, (seen, pelvises_m) = frame(), see(3.5, first_id=100)
    by_size, floor = place(of, first, seen, from_feet=True)
    assert floor is None
    assert not by_size.from_floor.any()
    watch_others(of)
    placement, floor = place(of, frame(200), seen, from_feet=True)
    assert floor is not None
    assert floor[3] == pytest.approx(HEIGHT_M, abs=0.1)
    assert placement.from_floor.all()
    before, after = (errors_m(each, seen, pelvises_m) for each in (by_size, placement))
    assert (after < before).all()


def test_who_is_not_in_view_shows_no_floor() -> None:
    of = placer()
    watch_others(of, TrackState.COASTING)
    _, floor = place(of, frame(200), see(3.5, first_id=100)[0], from_feet=True)
    assert floor is None


def test_people_are_selected_with_everything_that_is_theirs() -> None:
    seen, _ = see(2.0, 3.0, 4.0)
    rows = np.array([True, False, True])
    chosen = seen.select(rows)
    assert chosen.tracks.ids.tolist() == [0, 2]
    np.testing.assert_array_equal(chosen.keypoints_px, seen.keypoints_px[rows])
    np.testing.assert_array_equal(chosen.estimates.joints_m, seen.estimates.joints_m[rows])
