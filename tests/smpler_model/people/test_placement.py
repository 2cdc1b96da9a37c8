"""Placing people with the real camera's model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.people.placement import (
    FLESH,
    HEIGHT_SPREAD,
    OWN_SPREAD_PX,
    SHARED_SPREAD_PX,
    TRUNCATED_SHIFT_M,
    Placement,
    inflate_truncated_places,
    inflate_truncated_sizes,
    place,
    place_by_depth,
)

UPRIGHT = torch.eye(3).expand(1, 24, 3, 3).clone()
UPRIGHT[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
TORSO = [0, 1, 2, 3, 6, 9, 12, 16, 17]
CAMERAS = [
    Camera(640, 480, 500.0, 505.0, 320.0, 240.0),
    Camera(640, 480, 900.0, 900.0, 200.0, 300.0),
    Camera(640, 480, 430.0, 431.0, 325.0, 233.0, "plumb_bob", (-0.2, 0.05, 0.001, -0.001)),
    Camera(640, 480, 300.0, 301.0, 318.0, 241.0, "equidistant", (-0.02, 0.005, -0.002, 0.0004)),
]

_FOCAL = 1280 / np.pi
FISHEYE = Camera(1280, 1280, _FOCAL, _FOCAL, 639.5, 639.5, "equidistant", (0, 0, 0, 0))
RATIONAL = (0.3, 0.05, 0.0005, -0.0003, 0, 0.5, 0.06, 0)
TURNING = (0.4, -0.02, 0.0005, -0.0003, 0.001, 0.7, 0.02, 0.003)
TILTED = (*RATIONAL, 0.001, -0.0005, 0.001, 0.0005, 0.02, -0.01)
LENSES = {
    "pinhole": CAMERAS[0],
    "plumb_bob": Camera(640, 480, 320, 320, 320, 240, "plumb_bob", (-0.32, 0.11, 1e-3, 0, 0)),
    "plumb_bob that turns": Camera(640, 480, 320, 320, 320, 240, "plumb_bob", (-0.3, 0, 0, 0)),
    "rational": Camera(640, 480, 330, 331, 320, 240, "rational_polynomial", RATIONAL),
    "rational that turns": Camera(640, 480, 330, 331, 320, 240, "rational_polynomial", TURNING),
    "tilted": Camera(640, 480, 330, 331, 320, 240, "rational_polynomial", TILTED),
    "fisheye": FISHEYE,
    "fisheye that bends": CAMERAS[3],
}


def body(seed: int) -> np.ndarray:
    """Joints the size of a person around the origin, (1, 24, 3) metres."""
    return np.random.default_rng(seed).normal(0, (0.2, 0.4, 0.15), (1, 24, 3))


def at(
    camera: Camera, angle_rad: float, around_rad: float, distance_m: float, share: float = 0.97
) -> np.ndarray:
    """Return a position (3) at an angle off the axis, or within a fraction of the lens's reach."""
    angle_rad = min(angle_rad, share * camera.reach_rad)
    aside = np.array([np.cos(around_rad), np.sin(around_rad)]) * np.sin(angle_rad)
    return distance_m * np.array([*aside, np.cos(angle_rad)])


every_lens = pytest.mark.parametrize("camera", LENSES.values(), ids=LENSES)


@every_lens
@given(
    seed=st.integers(0, 1000),
    angle=st.floats(0, np.radians(88)),
    around=st.floats(0, 2 * np.pi),
    distance=st.floats(1.5, 9),
)
def test_exact_keypoints_give_exact_placement_in_the_whole_field(
    camera: Camera, seed: int, angle: float, around: float, distance: float
) -> None:
    translation = at(camera, angle, around, distance)
    joints = body(seed)
    keypoints = camera.project(joints + translation)
    assume(np.isfinite(keypoints).all(-1).sum() >= 6)
    placement = place(joints, keypoints, camera)
    np.testing.assert_allclose(placement.translations_m[0], translation, atol=1e-6 * distance)
    assert np.linalg.eigvalsh(placement.covariances_m2[0]).min() > 0


@pytest.mark.parametrize("degrees", [0, 30, 60, 75, 80, 85])
def test_noise_has_equal_effect_in_the_whole_field_of_a_fisheye(degrees: float) -> None:
    """The person is 3 m away, keypoints have 3 pixels of noise; 180 degrees are 1280 pixels."""
    rng = np.random.default_rng(0)
    joints = Body(load_builtin_body()).joints(UPRIGHT, torch.zeros(1, 10)).double().numpy()
    translation = at(FISHEYE, np.radians(degrees), 0.3, 3.0) - joints[0, 0]
    keypoints = FISHEYE.project(joints + translation) + rng.normal(0, 3, (1000, 24, 2))
    found = place(np.repeat(joints, 1000, 0), keypoints, FISHEYE).translations_m
    errors = np.linalg.norm(found - translation, axis=1)
    assert np.median(errors) < 0.02
    assert np.percentile(errors, 90) < 0.045


@pytest.mark.parametrize("degrees", [0, 60, 85])
@every_lens
def test_the_covariance_matches_many_draws(camera: Camera, degrees: float) -> None:
    n, rng = 1000, np.random.default_rng(1)
    # Close to where a lens turns, pixels of noise are no longer small steps.
    translation = at(camera, np.radians(degrees), 0.3, 3.0, share=0.6)
    joints = body(0)
    exact = camera.project(joints + translation)
    own = rng.normal(0, OWN_SPREAD_PX, (n, 24, 2))
    shared = rng.normal(0, SHARED_SPREAD_PX, (n, 1, 2))
    sizes = 1 + rng.normal(0, HEIGHT_SPREAD, (n, 1, 1))
    draws = place(sizes * joints, exact + own + shared, camera).translations_m
    stated = place(joints, exact, camera).covariances_m2[0]
    turned = np.linalg.solve(np.linalg.cholesky(stated), (draws - translation).T)
    ratios = np.linalg.eigvalsh(turned @ turned.T / n)
    assert 0.8 < ratios.min() <= ratios.max() < 1.25


def test_joints_outside_the_lens_are_ignored() -> None:
    joints, translation = body(0), np.array([0.3, 0.1, 4.0])
    camera = CAMERAS[0]
    keypoints = camera.project(joints + translation)
    keypoints[0, ::3] = np.nan
    keypoints[0, 1] = np.inf
    placement = place(joints, keypoints, camera)
    np.testing.assert_allclose(placement.translations_m[0], translation, atol=1e-6)
    whole = place(joints, camera.project(joints + translation), camera)
    fewer, all_ = (np.linalg.det(each.covariances_m2[0]) for each in (placement, whole))
    assert fewer > all_


def chest(joints: np.ndarray, placement: Placement, before_m: float = 0.0) -> np.ndarray:
    """Return a flat patch (n, 25, 3) across the middle of the placed torsos."""
    middles = (joints[:, TORSO] + placement.translations_m[:, None]).mean(1)
    aside = np.linspace(-0.1, 0.1, 5)
    patch = np.stack([*np.meshgrid(aside, aside), np.full((5, 5), -before_m)], -1)
    return np.asarray(middles[:, None] + patch.reshape(1, 25, 3))


@pytest.mark.parametrize("left", ["nothing", "one joint", "one pixel"])
def test_only_people_who_cannot_be_placed_are_nan(left: str) -> None:
    camera = CAMERAS[0]
    joints = np.concatenate([body(0), body(1)])
    keypoints = camera.project(joints + np.array([0.1, 0.2, 4.0]))
    if left == "one pixel":
        keypoints[0] = (100, 200)
    else:
        keypoints[0, left == "one joint" :] = np.nan
    placement = place(joints, keypoints, camera)
    assert np.isnan(placement.translations_m[0]).all()
    assert np.isnan(placement.covariances_m2[0]).all()
    np.testing.assert_allclose(placement.translations_m[1], (0.1, 0.2, 4.0), atol=1e-9)
    depth = np.full((480, 640), 3.9, np.float32)
    placed = place_by_depth(placement, joints, chest(joints, placement), depth, camera)
    assert placed.from_depth.tolist() == [False, True]
    assert np.isnan(placed.translations_m[0]).all()


def pitched(degrees: float) -> np.ndarray:
    """A person of 1.7 m, (1, 24, 3), seen by a camera that looks down by an angle."""
    angle = np.radians(degrees)
    upright = np.array([[1, 0, 0], [0, -1, 0], [0, 0, -1]])
    turn = np.array(
        [
            [1, 0, 0],
            [0, np.cos(angle), -np.sin(angle)],
            [0, np.sin(angle), np.cos(angle)],
        ]
    )
    rng = np.random.default_rng(0)
    standing = rng.uniform((-0.25, -0.9, -0.15), (0.25, 0.8, 0.15), (24, 3))
    return np.asarray((standing @ (turn @ upright).T)[None])


@pytest.mark.parametrize("depth_m", [0.5, 0.3, 0.11])
@pytest.mark.parametrize("degrees", [0, 30, 60, 90, -60])
def test_too_small_a_depth_keeps_everybody_in_front(degrees: float, depth_m: float) -> None:
    camera = Camera(640, 480, 400.0, 400.0, 320.0, 240.0)
    joints = pitched(degrees)
    keypoints = camera.project(joints + np.array([0, 0, 2.5]))
    placement = place(joints, keypoints, camera)
    depth = np.full((480, 640), depth_m, np.float32)
    placed = place_by_depth(placement, joints, chest(joints, placement), depth, camera)
    assert placed.from_depth.tolist() == [True]
    for found in (placement, placed):
        assert np.isfinite(found.translations_m).all()
        assert (joints + found.translations_m[:, None])[..., 2].min() > 0.05
        assert np.linalg.eigvalsh(found.covariances_m2[0]).min() > 0


@given(seed=st.integers(0, 10**6))
def test_everybody_is_in_front_for_any_keypoints(seed: int) -> None:
    rng = np.random.default_rng(seed)
    joints, keypoints = body(seed), rng.uniform(-100, 700, (1, 24, 2))
    depth = rng.uniform(0, 1, (480, 640)).astype(np.float32)
    camera = CAMERAS[seed % 2]
    placement = place(joints, keypoints, camera)
    front = chest(joints, placement)
    for found in (placement, place_by_depth(placement, joints, front, depth, camera)):
        assert (joints + found.translations_m[:, None])[..., 2].min() > 0


def test_weak_perspective_far_away_gives_the_usual_formula() -> None:
    camera = CAMERAS[0]
    scale, tx, ty = 0.9, 0.05, -0.1
    centre, side = np.array([330.0, 250.0]), 20.0  # a person 20 pixels high is far away
    joints = body(0)
    keypoints = centre + side / 2 * scale * (joints[..., :2] + (tx, ty))
    x, y, z = place(joints, keypoints, camera).translations_m[0]
    assert z == pytest.approx(2 * camera.fx / (side * scale), rel=0.02)
    assert x == pytest.approx(tx + 2 * (centre[0] - camera.cx) / (side * scale), abs=0.05)
    expected_y = z / camera.fy * (centre[1] + side * scale * ty / 2 - camera.cy)
    assert y == pytest.approx(expected_y, abs=0.05)


def test_a_longer_focal_length_places_farther_away() -> None:
    joints = body(1)
    keypoints = CAMERAS[0].project(joints + np.array([0, 0, 4.0]))
    longer = Camera(640, 480, 1000.0, 1010.0, 320.0, 240.0)
    assert place(joints, keypoints, longer).translations_m[0, 2] > 7


def test_distance_uncertainty_follows_size_and_calibration() -> None:
    joints = body(2)
    translation = np.array([0.5, 0.2, 6.0])
    ray = translation / np.linalg.norm(translation)
    keypoints = CAMERAS[0].project(joints + translation)
    assumed = Camera(640, 480, 500.0, 505.0, 320.0, 240.0, calibrated=False)
    spreads = []
    for camera in (CAMERAS[0], assumed):
        covariance = place(joints, keypoints, camera).covariances_m2[0]
        assert np.linalg.eigvalsh(covariance).min() > 0
        spreads.append(np.sqrt(ray @ covariance @ ray))
    assert 0.2 < spreads[0] < 0.6 < spreads[1]


def test_depth_corrects_a_wrong_size() -> None:
    camera = CAMERAS[0]
    truth = np.array([0.4, 0.1, 5.0])
    joints = body(3) * 0.3
    too_small = joints * 0.9  # a body estimated 10 % too small seems 10 % too near
    placement = place(too_small, camera.project(joints + truth), camera)
    assert placement.translations_m[0, 2] == pytest.approx(4.5, abs=0.05)
    depth = np.full((480, 640), 4.9, np.float32)
    depth[::7] = np.nan
    depth[:, ::11] = 0
    front = chest(too_small, placement, before_m=0.1)
    placed = place_by_depth(placement, too_small, front, depth, camera)
    assert placed.from_depth.tolist() == [True]
    np.testing.assert_allclose(placed.translations_m[0], truth, atol=0.12)
    spread = np.sqrt(placed.covariances_m2[0, 2, 2])
    assert spread < np.sqrt(placement.covariances_m2[0, 2, 2]) / 3


def test_depth_moves_the_torso_along_its_ray_wherever_the_origin_is() -> None:
    camera = CAMERAS[0]
    truth = np.array([0.4, 0.1, 5.0])
    beside = np.array([0.0, -0.22, 0.03])  # of SMPL's origin, where its pelvis is
    joints = body(3) * 0.2
    joints = joints - joints[:, :1] + beside
    placement = place(joints, camera.project(joints + truth), camera)
    depth = np.full((480, 640), 5.7, np.float32)
    placed = place_by_depth(placement, joints, chest(joints, placement), depth, camera)
    before, after = (
        (joints[0, TORSO] + found.translations_m[0]).mean(0) for found in (placement, placed)
    )
    assert after[2] > before[2] + 0.5
    np.testing.assert_allclose(after / after[2], before / before[2], atol=1e-9)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -1.0])
def test_missing_depth_changes_nothing(value: float) -> None:
    joints = body(4)
    placement = place(joints, CAMERAS[0].project(joints + np.array([0, 0, 3.0])), CAMERAS[0])
    depth = np.full((480, 640), value, np.float32)
    placed = place_by_depth(placement, joints, chest(joints, placement), depth, CAMERAS[0])
    assert placed.from_depth.tolist() == [False]
    np.testing.assert_array_equal(placed.translations_m, placement.translations_m)


def test_an_arm_before_the_trunk_and_a_wall_behind_it_move_nobody() -> None:
    camera, truth = CAMERAS[0], np.array([0.0, 0.1, 4.0])
    joints = body(3) * 0.2
    placement = place(joints, camera.project(joints + truth), camera)
    front = chest(joints, placement)
    depth = np.full((480, 640), 6.0, np.float32)
    u, v = camera.project(front[0]).round().astype(int).T
    trunk_m = front[0, :, 2] + 0.05
    depth[v, u] = trunk_m
    expected = place_by_depth(placement, joints, front, depth, camera).translations_m
    depth[v[::3], u[::3]] = trunk_m[::3] - 0.2  # nine of 25
    depth[v[1::5], u[1::5]] = 6.0
    found = place_by_depth(placement, joints, front, depth, camera)
    assert found.from_depth.tolist() == [True]
    np.testing.assert_allclose(found.translations_m, expected, atol=1e-6)
    np.testing.assert_allclose(found.translations_m[0] - truth, (0, 0, 0.05), atol=0.01)


def test_depths_of_which_few_agree_are_not_a_body() -> None:
    camera = CAMERAS[0]
    joints = body(3) * 0.2
    placement = place(joints, camera.project(joints + np.array([0, 0, 4.0])), camera)
    front = chest(joints, placement)
    depth = np.full((480, 640), np.nan, np.float32)
    u, v = camera.project(front[0]).round().astype(int).T
    depth[v, u] = np.linspace(2.0, 6.0, 25)
    placed = place_by_depth(placement, joints, front, depth, camera)
    assert placed.from_depth.tolist() == [False]
    np.testing.assert_array_equal(placed.translations_m, placement.translations_m)


def test_empty_input_and_batches_equal_single_people() -> None:
    camera = CAMERAS[2]
    assert len(place(np.empty((0, 24, 3)), np.empty((0, 24, 2)), camera).translations_m) == 0
    joints = np.concatenate([body(5), body(6)])
    keypoints = camera.project(joints + np.array([[[0, 0, 3.0]], [[1, 0, 7.0]]]))
    both = place(joints, keypoints, camera)
    for index in range(2):
        alone = place(joints[index : index + 1], keypoints[index : index + 1], camera)
        np.testing.assert_allclose(both.translations_m[index], alone.translations_m[0])


def boxes_of(keypoints: np.ndarray) -> np.ndarray:
    """Return boxes that contain all of the bodies with these joints."""
    low, high = keypoints.min(1), keypoints.max(1)
    flesh = FLESH * (high - low).max(1, keepdims=True)
    return np.concatenate([low - flesh, high + flesh], 1)


def test_who_is_cut_by_the_edge_may_be_elsewhere() -> None:
    """With half a body outside, the distance may be wrong by half; who is inside is as sure."""
    camera = CAMERAS[0]
    joints = np.repeat(body(0), 3, 0)
    keypoints = camera.project(joints + np.array([0, 0, 4.0]))
    keypoints[1, :12] += (camera.width, 0)
    keypoints[2, :] += (camera.width, 0)
    placed = place(joints, camera.project(joints + np.array([0, 0, 4.0])), camera)
    doubted = inflate_truncated_sizes(placed, keypoints, camera)
    np.testing.assert_array_equal(doubted.translations_m, placed.translations_m)
    np.testing.assert_array_equal(doubted.covariances_m2[0], placed.covariances_m2[0])
    added = doubted.covariances_m2 - placed.covariances_m2
    assert np.sqrt(added[1, 2, 2]) == pytest.approx(0.5 * 4.0, rel=0.02)
    assert np.sqrt(added[2, 2, 2]) == pytest.approx(4.0, rel=0.02)
    by_depth = inflate_truncated_sizes(
        replace(placed, from_depth=np.ones(3, bool)), keypoints, camera
    )
    np.testing.assert_array_equal(by_depth.covariances_m2, placed.covariances_m2)
    placed_elsewhere = inflate_truncated_places(placed, keypoints, boxes_of(keypoints), camera)
    shifted = placed_elsewhere.covariances_m2 - placed.covariances_m2
    for row, share in enumerate((0.0, 0.5, 1.0)):
        np.testing.assert_allclose(
            shifted[row], (share * TRUNCATED_SHIFT_M) ** 2 * np.eye(3), atol=1e-9
        )


def test_joints_close_to_the_edge_may_be_outside() -> None:
    """By the person's size in the image: a near one's joints are pulled inside by more pixels."""
    camera = CAMERAS[0]
    joints = body(0)
    added = []
    for distance_m in (2.0, 20.0):
        keypoints = camera.project(joints + np.array([0, 0, distance_m]))
        keypoints[..., 0] += camera.width - 1 - 6.0 - keypoints[..., 0].max()
        placed = place(joints, keypoints, camera)
        doubted = inflate_truncated_places(placed, keypoints, boxes_of(keypoints), camera)
        added.append((doubted.covariances_m2 - placed.covariances_m2)[0, 0, 0])
    assert added[0] > 0
    assert added[1] == 0


def test_a_box_smaller_than_the_body_says_that_much_of_it_is_not_seen() -> None:
    """Whatever the network guesses: its joints may all lie inside the image."""
    camera = CAMERAS[0]
    joints = np.repeat(body(0), 4, 0)
    keypoints = camera.project(joints + np.array([0, 0, 4.0]))
    placed, boxes = place(joints, keypoints, camera), boxes_of(keypoints)
    widths = boxes[:, 2] - boxes[:, 0]
    boxes[:, 2] -= np.array([0.0, 0.15, 0.4, 0.8]) * widths
    doubted = inflate_truncated_places(placed, keypoints, boxes, camera)
    added = (doubted.covariances_m2 - placed.covariances_m2)[:, 0, 0]
    expected = np.array([0.0, 0.0, 0.5, 1.0]) * TRUNCATED_SHIFT_M
    np.testing.assert_allclose(np.sqrt(np.maximum(added, 0)), expected, atol=1e-6)
    np.testing.assert_array_equal(doubted.translations_m, placed.translations_m)


def test_a_wall_is_too_far_behind_to_be_anybody() -> None:
    camera = CAMERAS[0]
    joints = body(3) * 0.2
    placement = place(joints, camera.project(joints + np.array([0, 0, 4.0])), camera)
    front = chest(joints, placement)
    for depth_m, is_person in ((6.5, False), (4.5, True), (2.5, True)):
        depth = np.full((480, 640), depth_m, np.float32)
        placed = place_by_depth(placement, joints, front, depth, camera)
        assert placed.from_depth.tolist() == [is_person]
