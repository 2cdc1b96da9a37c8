"""Fusing views: what must hold whatever the views show."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.cameras.camera import Camera
from smpler_model.frames import CameraPose, FrameResult, People, TranslationSource
from smpler_model.views.fusion import FusedPeople, scale_shapes
from smpler_model.views.fusion import fuse_views as fuse_sightings
from smpler_model.views.sightings import view_of
from tests.posed import pose_joints

CAMERA = Camera(640, 480, 500.0, 500.0, 319.5, 239.5)
SEEDS = st.integers(0, 2**31)
FEW = settings(max_examples=20)
FIXED = ("rotations", "betas", "translations_m", "joints_m", "joint_confidences")


def fuse_views(results: list[FrameResult]) -> FusedPeople:
    return fuse_sightings([view_of(result).people for result in results], pose_joints)


def camera_pose(angle_rad: float, distance_m: float = 4.0) -> np.ndarray:
    """Return (4, 4) of a camera 1.2 m above the floor that looks at the z axis."""
    forward = -np.array([np.cos(angle_rad), np.sin(angle_rad), 0])
    down = np.array([0, 0, -1.0])
    matrix = np.eye(4)
    matrix[:3, :3] = np.column_stack([np.cross(down, forward), down, forward])
    matrix[:3, 3] = -distance_m * forward + (0, 0, 1.2)
    return matrix


def people_at(rng: np.random.Generator, places_m: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return rotations, betas and translations of people in the world."""
    n = len(places_m)
    upright = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # SMPL's axes in the world
    rotations = Rotation.from_rotvec(rng.normal(0, 0.3, (n * 24, 3))).as_matrix()
    rotations = rotations.reshape(n, 24, 3, 3)
    rotations[:, 0] = Rotation.from_rotvec([0, 0, rng.uniform(0, 6)]).as_matrix() @ upright
    betas = rng.normal(0, 1, (n, 10))
    return rotations, betas, places_m - pose_joints(rotations, betas)[:, 0]


def boxes_around(joints_m: np.ndarray) -> np.ndarray:
    """Return (n, 4) the boxes of joints in the image, with the flesh around them."""
    keypoints = np.clip(CAMERA.project(joints_m), (0, 0), (639, 479))
    low, high = (chosen(keypoints, 1) for chosen in (np.min, np.max))
    return np.hstack([low - 0.05 * (high - low), high + 0.05 * (high - low)])


def see(
    world: tuple[np.ndarray, ...],
    fixed_from_camera: np.ndarray,
    rng: np.random.Generator,
    noise: float = 0.0,
) -> FrameResult:
    """Return what a camera sees: the truth, or with errors as large as a small network's."""
    rotations, betas, translations = (each.copy() for each in world)
    n = len(betas)
    back = np.linalg.inv(fixed_from_camera)
    middles = (pose_joints(rotations, betas) + translations[:, None]).mean(1)
    middles = middles @ back[:3, :3].T + back[:3, 3]
    rotations[:, 0] = back[:3, :3] @ rotations[:, 0]
    turns = Rotation.from_rotvec(rng.normal(0, noise * 0.15 + 1e-12, (n * 24, 3))).as_matrix()
    rotations = rotations @ turns.reshape(n, 24, 3, 3)
    # Like a network's: the body as a whole is where the image shows it, but nearer or farther.
    middles *= 1 + noise * rng.normal(0, 0.06, (n, 1))
    translations = middles - pose_joints(rotations, betas).mean(1)
    along = translations / np.linalg.norm(translations, axis=1, keepdims=True)
    covariances = 0.03**2 * np.eye(3) + 0.3**2 * along[:, :, None] * along[:, None]
    joints_m = pose_joints(rotations, betas) + translations[:, None]
    people = People(
        ids=np.arange(n), states=np.ones(n, np.uint8), scores=np.ones(n),
        boxes_xyxy=boxes_around(joints_m), rotations=rotations, betas=betas,
        translations_m=translations, covariances_m2=covariances,
        sources=np.full(n, TranslationSource.BODY_SIZE, np.uint8), weak_cameras=np.ones((n, 3)),
        joints_m=joints_m, keypoints_px=CAMERA.project(joints_m),
        joint_confidences=rng.uniform(0, 1, (n, 24)),
    )  # fmt: skip
    return FrameResult(0, "optical", CAMERA, people, pose=CameraPose("map", fixed_from_camera))


def scene(seed: int, views: int, noise: float, n: int = 3) -> list[FrameResult]:
    rng = np.random.default_rng(seed)
    places = np.column_stack([rng.uniform(-0.2, 0.2, n), np.arange(n) - 1.0, np.full(n, 0.9)])
    world = people_at(rng, 1.2 * places)
    return [
        see(world, camera_pose(rng.uniform(0, 0.4) + 1.6 * view), rng, noise)
        for view in range(views)
    ]


def assert_same(found: FusedPeople, expected: FusedPeople, names: tuple[str, ...] = FIXED) -> None:
    assert len(found) == len(expected)
    rows = np.argsort(found.translations_m[:, 1]), np.argsort(expected.translations_m[:, 1])
    for name in names:
        a, b = getattr(found, name)[rows[0]], getattr(expected, name)[rows[1]]
        np.testing.assert_allclose(a, b, atol=1e-6, err_msg=name)


@FEW
@given(seed=SEEDS)
def test_one_view_is_itself(seed: int) -> None:
    result = scene(seed, 1, 1.0)[0]
    assert result.pose is not None
    fused, people = fuse_views([result]), result.people
    matrix = result.pose.fixed_from_camera
    turn = matrix[:3, :3]
    np.testing.assert_array_equal(fused.rows, [[0], [1], [2]])
    np.testing.assert_allclose(fused.joints_m, people.joints_m @ turn.T + matrix[:3, 3], atol=1e-6)
    np.testing.assert_allclose(fused.rotations[:, 0], turn @ people.rotations[:, 0], atol=1e-6)
    np.testing.assert_allclose(fused.rotations[:, 1:], people.rotations[:, 1:], atol=1e-6)
    np.testing.assert_allclose(fused.betas, people.betas)
    np.testing.assert_allclose(fused.joint_confidences, people.joint_confidences)
    covariances = turn @ people.covariances_m2 @ turn.T
    np.testing.assert_allclose(fused.covariances_m2, covariances, atol=1e-6)


@FEW
@given(seed=SEEDS, views=st.integers(2, 4))
def test_views_that_agree_are_the_truth(seed: int, views: int) -> None:
    results = scene(seed, views, 0.0)
    fused = fuse_views(results)
    np.testing.assert_array_equal(np.sort(fused.rows, 0), np.tile(np.arange(3)[:, None], views))
    assert_same(fused, fuse_views(results[:1]), names=FIXED[:-1])
    assert (fused.joint_confidences.mean(1) > 0.5).all()


@FEW
@given(seed=SEEDS, views=st.integers(2, 4))
def test_the_order_of_cameras_and_people_changes_nothing(seed: int, views: int) -> None:
    rng = np.random.default_rng(seed)
    results = scene(seed, views, 1.0)
    order = rng.permutation(views).tolist()
    shuffled = fuse_views([results[view] for view in order])
    fused = fuse_views(results)
    assert_same(shuffled, fused)
    rows = {tuple(each) for each in fused.rows.tolist()}
    assert {tuple(each) for each in shuffled.rows[:, np.argsort(order)].tolist()} == rows


@FEW
@given(seed=SEEDS, angle=st.floats(-3, 3), x=st.floats(-9, 9))
def test_the_fixed_frame_is_arbitrary(seed: int, angle: float, x: float) -> None:
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_rotvec([0.1, -0.3, angle]).as_matrix()
    moved[:3, 3] = x, 2, -1
    results = scene(seed, 2, 1.0)
    fused = fuse_views(results)
    elsewhere = fuse_views(
        [
            replace(each, pose=CameraPose("odom", moved @ each.pose.fixed_from_camera))
            for each in results
            if each.pose
        ]
    )
    np.testing.assert_array_equal(elsewhere.rows, fused.rows)
    expected = fused.joints_m @ moved[:3, :3].T + moved[:3, 3]
    np.testing.assert_allclose(elsewhere.joints_m, expected, atol=1e-5)


def test_views_from_two_sides_know_the_distance() -> None:
    """Each alone is off by 6 percent of 4 m; their rays cross."""
    alone, together = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        world = people_at(rng, np.array([[0.0, 0, 0.9]]))
        results = [see(world, camera_pose(angle), rng, 1.0) for angle in (0.0, 1.6)]
        truth = pose_joints(*world[:2])[:, 0] + world[2]
        for chosen, errors in ((results[:1], alone), (results, together)):
            fused = fuse_views(chosen)
            assert len(fused) == 1
            errors.append(np.linalg.norm(fused.joints_m[:, 0] - truth))
    assert np.median(together) < 0.4 * np.median(alone)


def test_distant_people_are_not_joined() -> None:
    rng = np.random.default_rng(0)
    here, there = (people_at(rng, np.array([[x, 0, 0.9]])) for x in (-1.2, 2))
    results = [see(here, camera_pose(0), rng), see(there, camera_pose(1.6), rng)]
    assert len(fuse_views(results)) == 2


def test_nobody_in_some_views_or_in_all() -> None:
    results = scene(0, 2, 0.0)
    rng = np.random.default_rng(0)
    nobody = see(people_at(rng, np.empty((0, 3))), camera_pose(0), rng)
    assert fuse_views([nobody, results[0]]).rows.tolist() == [
        [-1, 0],
        [-1, 1],
        [-1, 2],
    ]
    assert len(fuse_views([nobody, nobody])) == 0


def test_a_view_that_took_a_limb_for_another_is_outvoted() -> None:
    """One of four has an arm where it is not; it is as sure of it as the others of theirs."""
    results = [
        replace(each, people=replace(each.people, joint_confidences=np.ones((3, 24))))
        for each in scene(3, 4, 0.0)
    ]
    truth = fuse_views(results)
    people = results[0].people
    rotations = people.rotations.copy()
    rotations[:, 16] = rotations[:, 16] @ Rotation.from_rotvec([0, 0, 1.5]).as_matrix()
    joints_m = pose_joints(rotations, people.betas) + people.translations_m[:, None]
    wrong = replace(people, rotations=rotations, joints_m=joints_m)
    fused = fuse_views([replace(results[0], people=wrong), *results[1:]])
    off = np.linalg.norm(fused.joints_m - truth.joints_m, axis=-1)
    assert np.linalg.norm(joints_m - people.joints_m, axis=-1).max() > 0.5
    assert off.max() < 0.12


def test_bodies_get_the_size_at_which_the_rays_cross() -> None:
    """All views take people for 8 percent too small, and so for nearer than they are."""
    results = scene(0, 2, 0.0)
    small = []
    for each in results:
        near = 0.92 * each.people.joints_m
        betas = scale_shapes(each.people.betas, np.full(3, 0.92), pose_joints)
        local = pose_joints(each.people.rotations, betas)
        moved = near[:, 0] - local[:, 0]
        small.append(
            replace(
                each,
                people=replace(
                    each.people,
                    betas=betas,
                    translations_m=moved,
                    joints_m=local + moved[:, None],
                    covariances_m2=each.people.covariances_m2 + 0.2**2 * np.eye(3),
                ),
            )
        )
    truth, fused = fuse_views(results), fuse_views(small)
    assert_same(fused, truth, names=("rows",))
    heights = [np.ptp(each.joints_m[..., 2], axis=1) for each in (truth, fused)]
    np.testing.assert_allclose(heights[1], heights[0], rtol=0.02)
    np.testing.assert_allclose(fused.joints_m[:, 0], truth.joints_m[:, 0], atol=0.05)


def test_a_view_without_a_pose_or_a_calibration_is_refused() -> None:
    result = scene(0, 1, 0.0)[0]
    with pytest.raises(ValueError, match="must have the camera's pose in a fixed frame"):
        view_of(replace(result, pose=None))
    with pytest.raises(ValueError, match="must be of a calibrated camera"):
        view_of(replace(result, camera=replace(CAMERA, calibrated=False)))
