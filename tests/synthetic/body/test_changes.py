"""The shipped body in other shapes and poses."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from smpler_model.body.builtin import BUILTIN_BODY_PATH
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.body.smpl_file import load_smpl_file
from smpler_model.network.geometry import rotation_from_axis_angle
from synthetic.body.poses import POSES
from synthetic.body.shapes import SHAPE_DIRECTIONS
from synthetic.body.sheet import posed_vertices
from tests.synthetic.body.body_geometry import (
    Arrays,
    find_edges,
    find_intersections,
    find_joint,
    find_volume,
)

pytestmark = pytest.mark.slow

DIRECTIONS = [direction.name for direction in SHAPE_DIRECTIONS]


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_smpl_file(BUILTIN_BODY_PATH))


def shaped(arrays: Arrays, name: str, value: float) -> np.ndarray:
    move = arrays["shapedirs"][:, :, DIRECTIONS.index(name)]
    return arrays["v_template"].astype(np.float64) + value * move


@pytest.mark.parametrize("value", [-3.0, 3.0])
@pytest.mark.parametrize("name", DIRECTIONS)
def test_nothing_crosses_at_three_deviations(
    arrays: Arrays, faces: np.ndarray, name: str, value: float
) -> None:
    assert len(find_intersections(shaped(arrays, name, value), faces)) == 0


def test_height_changes_by_seven_centimetres(arrays: Arrays) -> None:
    heights = [np.ptp(shaped(arrays, "height", value)[:, 1]) for value in (-3, -2, -1, 0, 1, 2, 3)]
    np.testing.assert_allclose(np.diff(heights), 0.07, atol=0.005)


def test_directions_have_the_named_effects(arrays: Arrays, faces: np.ndarray) -> None:
    def gain(name: str, measure: str) -> float:
        low, high = (shaped(arrays, name, value) for value in (-1.0, 1.0))
        return measures[measure](high) - measures[measure](low)

    def length(vertices: np.ndarray, first: str, second: str) -> float:
        ends = find_joint(arrays, vertices, first) - find_joint(arrays, vertices, second)
        return float(np.linalg.norm(ends))

    def depth(vertices: np.ndarray, level: float) -> float:
        rest = arrays["v_template"]
        slab = (np.abs(rest[:, 1] - level) < 0.02) & (np.abs(rest[:, 0]) < 0.2)
        return float(np.ptp(vertices[slab, 2]))

    measures = {
        "volume": lambda v: find_volume(v, faces),
        "leg": lambda v: length(v, "left_hip", "left_ankle"),
        "trunk": lambda v: length(v, "pelvis", "neck"),
        "shoulders": lambda v: length(v, "left_shoulder", "right_shoulder"),
        "hips": lambda v: float(np.ptp(v[np.abs(arrays["v_template"][:, 1] + 0.3) < 0.02, 0])),
        "arm": lambda v: length(v, "left_shoulder", "left_wrist"),
        "belly": lambda v: depth(v, -0.12),
        "chest": lambda v: depth(v, 0.08),
        "head": lambda v: float(np.ptp(v[arrays["v_template"][:, 1] > 0.40, 1])),
    }
    assert gain("weight", "volume") > 0.010
    assert gain("leg proportion", "leg") > 0.04
    assert gain("leg proportion", "trunk") < -0.04
    assert gain("shoulder breadth", "shoulders") > 0.035
    assert gain("hip breadth", "hips") > 0.025
    assert gain("arm length", "arm") > 0.035
    assert gain("belly", "belly") > 0.030
    assert gain("chest", "chest") > 0.020
    assert gain("muscle", "volume") > 0.003
    assert gain("muscle", "belly") < 0
    assert gain("head size", "head") > 0.008


@pytest.mark.parametrize("pose", list(POSES))
def test_poses_do_not_explode(
    body: Body, template: np.ndarray, faces: np.ndarray, pose: str
) -> None:
    posed = posed_vertices(body, pose)
    assert 0.96 < find_volume(posed, faces) / find_volume(template, faces) < 1.04
    a, b = find_edges(faces).T
    stretch = np.linalg.norm(posed[a] - posed[b], axis=1)
    stretch = stretch / np.linalg.norm(template[a] - template[b], axis=1)
    assert stretch.max() < 2.5
    assert np.percentile(stretch, 1) > 0.65


def test_correctives_keep_a_bent_knee_thick(body: Body, template: np.ndarray) -> None:
    rotations = torch.eye(3).repeat(1, 24, 1, 1)
    turn = torch.tensor([[np.pi / 2, 0.0, 0.0]], dtype=torch.float32)
    rotations[:, SMPL_JOINTS.index("left_knee")] = rotation_from_axis_angle(turn)
    rest_knee = body.rest_joints[SMPL_JOINTS.index("left_knee")].numpy()
    kneecap = np.argmin(np.linalg.norm(template - rest_knee - np.array([0.0, 0.0, 0.07]), axis=1))
    with torch.no_grad():
        mesh = body.mesh(rotations, torch.zeros(1, 10))
        plain = Body(load_smpl_file(BUILTIN_BODY_PATH))
        plain.posedirs.zero_()
        without = plain.mesh(rotations, torch.zeros(1, 10))
    knee = mesh.joints[0, SMPL_JOINTS.index("left_knee")]
    thick = float(torch.linalg.norm(mesh.vertices[0, kneecap] - knee))
    thin = float(torch.linalg.norm(without.vertices[0, kneecap] - knee))
    rest = float(np.linalg.norm(template[kneecap] - rest_knee))
    assert thin < 0.85 * rest
    assert 0.92 * rest < thick < 1.08 * rest


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_smplx_loads_and_poses_it_equally(body: Body, arrays: Arrays, tmp_path: Path) -> None:
    smplx = pytest.importorskip("smplx")
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(arrays))
    oracle = smplx.SMPL(str(path))
    generator = torch.Generator().manual_seed(0)
    pose = 0.4 * torch.randn(4, 24, 3, generator=generator)
    betas = torch.randn(4, 10, generator=generator)
    with torch.no_grad():
        expected = oracle(betas=betas, global_orient=pose[:, 0], body_pose=pose[:, 1:].flatten(1))
        mesh = body.mesh(rotation_from_axis_angle(pose), betas)
    assert torch.allclose(mesh.vertices, expected.vertices, atol=1e-5, rtol=0)
    assert torch.allclose(mesh.joints, expected.joints[:, :24], atol=1e-5, rtol=0)
