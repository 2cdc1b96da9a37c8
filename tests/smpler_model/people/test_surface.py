"""The surface of trunks against rasterised bodies."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.drawing.raster import rasterise
from smpler_model.people import surface
from smpler_model.people.placement import place, place_by_depth
from smpler_model.people.surface import POINT_COUNT, TrunkSurface
from tests.posed import pose_joints

ARRAYS = load_builtin_body()
CAMERA = Camera(640, 480, 600.0, 600.0, 319.5, 239.5)
UPRIGHT = np.diag([1.0, -1, -1])


@pytest.fixture(scope="module")
def trunk() -> TrunkSurface:
    return TrunkSurface(ARRAYS)


def pose(turned_deg: float, arms_deg: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (1, 24, 3, 3) and joints of one 3 m ahead, turned about the vertical."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 0.12, (24, 3))
    vectors[16], vectors[17] = (0, 0, -np.radians(arms_deg)), (0, 0, np.radians(arms_deg))
    rotations = Rotation.from_rotvec(vectors).as_matrix()[None]
    rotations[0, 0] = UPRIGHT @ Rotation.from_euler("y", turned_deg, degrees=True).as_matrix()
    joints = pose_joints(rotations, np.zeros((1, 10)))
    return rotations, joints + np.array([0, 0.2, 3.0])


def depth_of(rotations: np.ndarray, joints_m: np.ndarray) -> np.ndarray:
    """Return the depth image of one person; infinite beside them."""
    body = Body(ARRAYS)
    mesh = body.mesh(torch.from_numpy(rotations).float(), torch.zeros(1, 10))
    shift = joints_m[0] - mesh.joints[0].numpy()
    vertices = mesh.vertices[0].numpy() + shift[:1]
    intrinsics = (CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy)
    return np.asarray(rasterise(vertices, ARRAYS.faces, intrinsics, (640, 480)).depth_map())


@pytest.mark.parametrize("turned_deg", [0, 45, 90, 180, 250])
@pytest.mark.parametrize("arms_deg", [0, 70])
def test_the_front_lies_where_a_rasteriser_finds_it(
    trunk: TrunkSurface, turned_deg: float, arms_deg: float
) -> None:
    """But for what an arm hides, or the outline; also of who is seen from the side or behind."""
    rotations, joints = pose(turned_deg, arms_deg, seed=int(turned_deg))
    depth, front = depth_of(rotations, joints), trunk.front(rotations, joints)[0]
    front = front[np.isfinite(front[:, 0])]
    assert 40 < len(front) < 200
    u, v = CAMERA.project(front).round().astype(int).T
    apart = depth[v, u] - front[:, 2]
    assert abs(np.median(apart)) < 0.015
    assert np.mean(np.abs(apart) < 0.03) > 0.6


@pytest.mark.parametrize("turned_deg", [0, 60, 90, 180, 270])
@pytest.mark.parametrize("size", [0.93, 1.07, 1.4])
def test_depth_places_whose_size_is_wrong(
    trunk: TrunkSurface, turned_deg: float, size: float
) -> None:
    """In any heading, with hanging arms; also a child who is taken for an adult."""
    rotations, joints = pose(turned_deg, 70, seed=int(turned_deg))
    depth = depth_of(rotations, joints).astype(np.float32)
    local = size * (joints - joints[:, :1])
    placement = place(local, CAMERA.project(joints), CAMERA)
    front = trunk.front(rotations, local + placement.translations_m[:, None])
    placed = place_by_depth(placement, local, front, depth, CAMERA)
    assert placed.from_depth.tolist() == [True]
    before, after = (each.translations_m[0, 2] - 3.0 for each in (placement, placed))
    assert abs(before) > 0.15
    assert abs(after) < 0.03


def test_points_lie_on_the_surface_and_move_with_the_body(trunk: TrunkSurface) -> None:
    rest = np.tile(np.eye(3), (1, 24, 1, 1))
    joints = pose_joints(rest, np.zeros((1, 10)))
    points = trunk.points(rest, joints)[0]
    vertices = np.asarray(ARRAYS.v_template, np.float64)
    nearest = np.linalg.norm(points[:, None] - vertices[None], axis=-1).min(1)
    np.testing.assert_allclose(nearest, 0, atol=1e-5)
    turned = rest.copy()
    turned[:, 0] = UPRIGHT
    around = (joints - joints[:, :1]) @ UPRIGHT.T + joints[:, :1]
    moved = trunk.points(turned, around)[0]
    expected = (points - joints[0, 0]) @ UPRIGHT.T + joints[0, 0]
    np.testing.assert_allclose(moved, expected, atol=1e-9)


def test_what_faces_the_camera_does_not_face_the_one_behind(trunk: TrunkSurface) -> None:
    front, back = (
        np.isfinite(trunk.front(*pose(turned_deg, 70, 0))[0, :, 0]) for turned_deg in (0, 180)
    )
    assert not (front & back).any()
    assert front.sum() + back.sum() > 0.5 * POINT_COUNT


def test_nobody(trunk: TrunkSurface) -> None:
    nobody = trunk.front(np.empty((0, 24, 3, 3)), np.empty((0, 24, 3)))
    assert nobody.shape == (0, POINT_COUNT, 3)


def test_nothing_is_read_where_the_own_arm_hides_the_trunk(
    trunk: TrunkSurface, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from the side, the near arm hangs before the trunk."""
    rotations, joints = pose(90, 80, seed=90)
    depth, front = depth_of(rotations, joints), trunk.front(rotations, joints)[0]
    monkeypatch.setattr(surface, "ARM_RADIUS_M", 0.0)
    everything = trunk.front(rotations, joints)[0]
    left_out = np.isfinite(everything[:, 0]) & ~np.isfinite(front[:, 0])

    def hidden(points: np.ndarray) -> np.ndarray:
        u, v = CAMERA.project(points).round().astype(int).T
        return np.asarray(depth[v, u] < points[:, 2] - 0.05)

    assert left_out.sum() > 3
    assert hidden(everything[left_out]).mean() > 0.5
    seen, before = (each[np.isfinite(each[:, 0])] for each in (front, everything))
    assert hidden(seen).mean() < hidden(before).mean()
