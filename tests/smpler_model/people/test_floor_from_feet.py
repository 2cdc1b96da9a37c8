"""The floor from feet, of drawn people of different sizes whose poses are known."""

import numpy as np
import pytest

from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.people.floor import heights_above, place_by_floor
from smpler_model.people.floor_from_feet import (
    LARGEST_SPREAD_M,
    MOST_SAMPLES,
    FloorEstimate,
    FloorFromFeet,
)
from smpler_model.people.placement import (
    HEIGHT_SPREAD,
    Placement,
    lasting_covariances,
    place,
)
from tests.posed import pose_joints
from tests.smpler_model.people.test_floor import stand

CAMERA = Camera(640, 480, 400.0, 400.0, 319.5, 239.5)
HEIGHT_M, PITCH_DEG = 1.5, 12.0
STEP_NS = 200_000_000
CAMERA_AT = np.zeros((1, 3))


def noise_of(placed: Placement) -> np.ndarray:
    """Return the covariances of places without the error of size."""
    return np.asarray(placed.covariances_m2 - lasting_covariances(placed, CAMERA))


class Room:
    """People who stand at places for some seconds, one after the other, before a camera."""

    def __init__(
        self, seed: int, *, has_pose: bool, shift_m: float = 0.0, step_ns: int = STEP_NS
    ) -> None:
        self.floor, self.rng = FloorFromFeet(), np.random.default_rng(seed)
        pose = level_camera(HEIGHT_M, PITCH_DEG)
        pose[2, 3] += shift_m  # the fixed frame's z = 0 is not the floor
        self.pose = pose if has_pose else None
        self.now_ns, self.id_, self.step_ns = 0, 0, step_ns

    def estimate(self, ahead_m: float, size: float) -> tuple[np.ndarray, np.ndarray, Placement]:
        """Return rotations, local joints and the placement by size of one who stands there."""
        _, rotations, joints_m = stand(HEIGHT_M, PITCH_DEG, ahead_m, size)
        local = pose_joints(rotations, np.zeros((1, 10)))
        return rotations, local, place(local, CAMERA.project(joints_m), CAMERA)

    def visit(self, ahead_m: float, size: float, seconds: float = 2.0) -> None:
        """Let somebody stand there."""
        self.id_ += 1
        rotations, local, placed = self.estimate(ahead_m, size)
        joints_m = local + placed.translations_m[:, None]
        for _ in range(round(seconds * 1e9 / self.step_ns)):
            self.now_ns += self.step_ns
            ids = np.array([self.id_])
            self.floor.watch(
                *(self.now_ns, ids, rotations, joints_m, noise_of(placed)), CAMERA_AT, self.pose
            )

    def visitors(self, count: int) -> None:
        for size in 1 + self.rng.normal(0, HEIGHT_SPREAD, count):
            self.visit(self.rng.uniform(2.5, 6.0), size)

    def found(self, id_: int = -1) -> FloorEstimate:
        return self.floor.estimate(np.array([id_]), np.array([[0.0, 0.5, 4.0]]), self.pose)


def points_on_floor() -> np.ndarray:
    """Return points of the true floor in the optical frame."""
    pose = level_camera(HEIGHT_M, PITCH_DEG)
    world = np.array([[x, y, 0.0] for x in (2.5, 5.0) for y in (-1, 1)])
    return np.asarray((world - pose[:3, 3]) @ pose[:3, :3])


@pytest.mark.parametrize("has_pose", [True, False])
def test_many_people_show_where_the_floor_is(has_pose: bool) -> None:
    room = Room(1, has_pose=has_pose, shift_m=0.7)
    assert room.found().plane is None
    room.visitors(8)
    plane = room.found().plane
    assert plane is not None
    assert np.linalg.norm(plane[:3]) == pytest.approx(1)
    assert np.abs(heights_above(plane, points_on_floor())).max() < 0.10


def test_a_low_rate_shows_the_floor_too() -> None:
    room = Room(1, has_pose=True, step_ns=1_000_000_000)
    room.visitors(8)
    plane = room.found().plane
    assert plane is not None
    assert np.abs(heights_above(plane, points_on_floor())).max() < 0.15


@pytest.mark.slow
def test_errors_are_as_large_as_the_spread_says() -> None:
    """The height of the floor 4 m ahead, in 60 rooms of 4 people each."""
    pose = level_camera(HEIGHT_M, PITCH_DEG)
    below = (np.array([[4.0, 0, 0]]) - pose[:3, 3]) @ pose[:3, :3]
    squared = []
    for seed in range(60):
        room = Room(seed, has_pose=seed % 2 == 0)
        room.visitors(4)
        found = room.floor.estimate(np.array([-1]), below, room.pose)
        error = heights_above(found.planes[0], below)[0]
        assert found.spreads_m[0] < LARGEST_SPREAD_M
        squared.append((error / found.spreads_m[0]) ** 2)
    assert 0.4 < np.mean(squared) < 1.4


def test_nobody_is_their_own_evidence() -> None:
    room = Room(0, has_pose=True)
    room.visit(4.0, 1.1, seconds=6)
    own = room.found(room.id_)
    assert np.isinf(own.spreads_m).all()
    other = room.found(99)
    assert np.isfinite(other.spreads_m).all()


def test_the_floor_of_others_tells_the_distance_of_the_next() -> None:
    errors: dict[str, list[float]] = {"before": [], "after": []}
    for seed in range(12):
        room = Room(seed, has_pose=seed % 2 == 0)
        room.visitors(8)
        size = 1 + room.rng.normal(0, HEIGHT_SPREAD)
        _, _, joints_m = stand(HEIGHT_M, PITCH_DEG, 5.0, size)
        rotations, local, before = room.estimate(5.0, size)
        pelvises = local[:, 0] + before.translations_m
        estimated = room.floor.estimate(np.array([-1]), pelvises, room.pose)
        after = place_by_floor(
            *(before, rotations, local, CAMERA.project(joints_m), estimated.planes, CAMERA),
            floor_spreads_m=estimated.spreads_m,
        )
        assert after.from_floor.all()
        for name, placed in (("before", before), ("after", after)):
            error = local[0, 0] + placed.translations_m[0] - joints_m[0, 0]
            errors[name].append(float(np.linalg.norm(error)))
    rms = {name: np.sqrt(np.mean(np.square(values))) for name, values in errors.items()}
    assert rms["after"] < 0.7 * rms["before"]


def test_who_stands_on_a_table_does_not_move_the_floor() -> None:
    rooms = [Room(3, has_pose=True) for _ in range(2)]
    for room in rooms:
        room.visitors(6)
    rooms[1].visit(3.0, 0.62)  # as high as a table, for who is taken to be of average size
    planes = [room.found().plane for room in rooms]
    assert planes[0] is not None
    assert planes[1] is not None
    assert planes[1][3] == pytest.approx(planes[0][3], abs=0.03)


def test_who_walks_or_lies_adds_no_feet() -> None:
    room = Room(0, has_pose=True)
    rotations, local, placed = room.estimate(4.0, 1.0)
    for index in range(10):
        moved = local + placed.translations_m[:, None] + (0.2 * index, 0, 0)
        room.floor.watch(
            *(index * STEP_NS, np.array([1]), rotations, moved, noise_of(placed)),
            *(CAMERA_AT, room.pose),
        )
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    lying = rotations.copy()
    lying[:, 0] = turn @ rotations[:, 0]
    flat = (local - local[:, :1]) @ turn.T + local[:, :1] + placed.translations_m[:, None]
    for index in range(10, 20):
        room.floor.watch(
            *(index * STEP_NS, np.array([2]), lying, flat, noise_of(placed)),
            *(CAMERA_AT, room.pose),
        )
    assert room.found().plane is None


def test_a_first_pose_begins_anew_and_an_image_without_waits() -> None:
    room = Room(5, has_pose=False)
    room.visitors(6)
    pose = level_camera(HEIGHT_M, PITCH_DEG)
    assert room.found().plane is not None
    room.pose = pose
    assert room.found().plane is None
    room.visitors(6)
    assert room.found().plane is not None
    room.pose = None
    room.visitors(1)
    assert room.found().plane is None
    room.pose = pose
    assert room.found().plane is not None


def test_a_restored_floor_continues_alike() -> None:
    room, other = Room(2, has_pose=True), FloorFromFeet()
    room.visitors(3)
    other.restore(room.floor.snapshot())
    first = room.found()
    room.floor = other
    again = room.found()
    np.testing.assert_array_equal(first.planes, again.planes)
    room.visitors(2)
    assert len(other.snapshot()["ids"]) > len(first.planes)


def test_who_stays_long_does_not_displace_others() -> None:
    room = Room(0, has_pose=True, step_ns=500_000_000)
    for ahead_m, size, seconds in ((3.0, 1.05, 20), (4.5, 0.95, 20), (4.0, 1.0, 200)):
        room.visit(ahead_m, size, seconds)
    assert np.isfinite(room.found(room.id_).spreads_m[0])
    ids = room.floor.snapshot()["ids"]
    assert len(ids) == MOST_SAMPLES
    assert [int((ids == id_).sum()) for id_ in (1, 2)] == [39, 39]  # all but the first images
    stamps_ns = room.floor.snapshot()["stamps_ns"]
    assert (np.diff(stamps_ns) > 0).all()
    assert stamps_ns[-1] == room.now_ns  # the newest stay
