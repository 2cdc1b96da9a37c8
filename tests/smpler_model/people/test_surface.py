"""How far the surface lies before joints, against rasterised bodies."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.drawing.raster import rasterise
from smpler_model.people.placement import TORSO
from smpler_model.people.surface import BodySurface
from tests.posed import pose_joints

ARRAYS = load_builtin_body()
CAMERA = Camera(640, 480, 600.0, 600.0, 319.5, 239.5)
UPRIGHT = np.diag([1.0, -1, -1])


@pytest.fixture(scope="module")
def surface() -> BodySurface:
    return BodySurface(ARRAYS)


def pose(turned_deg: float, arms_deg: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (1, 24, 3, 3) and joints of one 3 m ahead, turned about the vertical."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 0.12, (24, 3))
    vectors[16], vectors[17] = (0, 0, -np.radians(arms_deg)), (0, 0, np.radians(arms_deg))
    rotations = Rotation.from_rotvec(vectors).as_matrix()[None]
    rotations[0, 0] = UPRIGHT @ Rotation.from_euler("y", turned_deg, degrees=True).as_matrix()
    joints = pose_joints(rotations, np.zeros((1, 10)))
    return rotations, joints + np.array([0, 0.2, 3.0])


def true_before(rotations: np.ndarray, joints_m: np.ndarray) -> np.ndarray:
    """Return how far the rasterised surface lies before the torso's joints; NaN beside it."""
    body = Body(ARRAYS)
    mesh = body.mesh(torch.from_numpy(rotations).float(), torch.zeros(1, 10))
    shift = joints_m[0] - mesh.joints[0].numpy()
    vertices = mesh.vertices[0].numpy() + shift[:1]
    intrinsics = (CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy)
    depth = rasterise(vertices, ARRAYS.faces, intrinsics, (640, 480)).depth_map()
    u, v = CAMERA.project(joints_m[0, TORSO]).round().astype(int).T
    found = joints_m[0, TORSO, 2] - depth[v, u]
    return np.where(np.isfinite(found), found, np.nan)


@pytest.mark.parametrize("turned_deg", [0, 45, 90, 180, 250])
@pytest.mark.parametrize("arms_deg", [0, 70])
def test_the_surface_lies_where_a_rasteriser_finds_it(
    surface: BodySurface, turned_deg: float, arms_deg: float
) -> None:
    """Also behind an arm, and for who is seen from the side or from behind."""
    rotations, joints = pose(turned_deg, arms_deg, seed=int(turned_deg))
    found, true = surface.before(rotations, joints, TORSO)[0], true_before(rotations, joints)
    assert np.isfinite(found).sum() >= 8
    assert np.nanmedian(np.abs(found - true)) < 0.02
    assert np.abs(np.nanmedian(found - true)) < 0.015


def test_one_depth_for_all_views_is_worse(surface: BodySurface) -> None:
    errors: dict[str, list[float]] = {"surface": [], "constant": []}
    for turned in range(0, 360, 60):
        rotations, joints = pose(turned, 70, turned)
        true = true_before(rotations, joints)
        found = surface.before(rotations, joints, TORSO)[0]
        errors["surface"].append(float(np.nanmedian(found - true)))
        errors["constant"].append(float(np.nanmedian(0.10 - true)))
    rms = {name: np.sqrt(np.mean(np.square(values))) for name, values in errors.items()}
    assert rms["surface"] < 0.4 * rms["constant"]


def test_points_lie_on_the_surface_and_move_with_the_body(surface: BodySurface) -> None:
    rest = np.tile(np.eye(3), (1, 24, 1, 1))
    joints = pose_joints(rest, np.zeros((1, 10)))
    points = surface.points(rest, joints)[0]
    vertices = np.asarray(ARRAYS.v_template, np.float64)
    nearest = np.linalg.norm(points[:, None] - vertices[None], axis=-1).min(1)
    np.testing.assert_allclose(nearest, 0, atol=1e-5)
    turned = rest.copy()
    turned[:, 0] = UPRIGHT
    around = (joints - joints[:, :1]) @ UPRIGHT.T + joints[:, :1]
    moved = surface.points(turned, around)[0]
    expected = (points - joints[0, 0]) @ UPRIGHT.T + joints[0, 0]
    np.testing.assert_allclose(moved, expected, atol=1e-9)


def test_nobody_and_a_ray_beside_the_body(surface: BodySurface) -> None:
    nobody = surface.before(np.empty((0, 24, 3, 3)), np.empty((0, 24, 3)), TORSO)
    assert nobody.shape == (0, len(TORSO))
    rotations, joints = pose(0, 70, 0)
    away = joints.copy()
    away[0, 12] += (5.0, 0, 0)
    found = surface.before(rotations, away, np.array([0, 12]))
    assert np.isfinite(found[0, 0])
    points = surface.points(rotations, joints)
    assert points.shape == (1, 800, 3)
