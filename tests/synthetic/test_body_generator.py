"""The shipped body: what it promises, measured on the file itself."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from smpler_model.body import Body
from smpler_model.builtin_body import BUILTIN_BODY_PATH
from smpler_model.geometry import rotation_from_axis_angle
from smpler_model.smpl_file import load_smpl_file
from smpler_model.synthetic.body_generator import build_body, build_mesh
from smpler_model.synthetic.body_poses import POSES
from smpler_model.synthetic.body_regressor import H36M_MIRRORED, H36M_NAMES
from smpler_model.synthetic.body_shapes import SHAPE_DIRECTIONS
from smpler_model.synthetic.body_sheet import posed_vertices
from smpler_model.synthetic.body_skeleton import JOINT_NAMES, MIRRORED_JOINTS, PARENTS
from smpler_model.synthetic.body_surface import BodySurface
from tests.synthetic.body_geometry import (
    find_angles,
    find_edges,
    find_intersections,
    find_volume,
)

Arrays = dict[str, np.ndarray]
DIRECTIONS = [direction.name for direction in SHAPE_DIRECTIONS]
REFLECTION = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    with np.load(BUILTIN_BODY_PATH) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def template(arrays: Arrays) -> np.ndarray:
    return arrays["v_template"].astype(np.float64)


@pytest.fixture(scope="module")
def faces(arrays: Arrays) -> np.ndarray:
    return arrays["f"].astype(np.int64)


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_smpl_file(BUILTIN_BODY_PATH))


def shaped(arrays: Arrays, name: str, value: float) -> np.ndarray:
    move = arrays["shapedirs"][:, :, DIRECTIONS.index(name)]
    return arrays["v_template"].astype(np.float64) + value * move


def joint(arrays: Arrays, vertices: np.ndarray, name: str) -> np.ndarray:
    row: np.ndarray = arrays["J_regressor"][JOINT_NAMES.index(name)] @ vertices
    return row


@pytest.fixture(scope="module")
def generated() -> Arrays:
    return build_body(*build_mesh())


def test_generator_makes_the_shipped_body_again(arrays: Arrays, generated: Arrays) -> None:
    assert generated.keys() == arrays.keys()
    for name in ("f", "mirror", "kintree_table"):
        np.testing.assert_array_equal(generated[name], arrays[name], err_msg=name)
    for name in ("v_template", "shapedirs", "posedirs", "joint_centres", "joint_shapedirs"):
        np.testing.assert_allclose(generated[name], arrays[name], rtol=0, atol=2e-5, err_msg=name)
    for name in ("weights", "J_regressor", "J_regressor_h36m"):
        np.testing.assert_allclose(generated[name], arrays[name], rtol=0, atol=1e-3, err_msg=name)


def test_file_is_small_and_in_smpls_layout(arrays: Arrays) -> None:
    assert BUILTIN_BODY_PATH.stat().st_size < 2_000_000
    shapes = {name: values.shape for name, values in arrays.items()}
    assert shapes["v_template"] == (6890, 3)
    assert shapes["f"] == (13776, 3)
    assert shapes["weights"] == (6890, 24)
    assert shapes["shapedirs"] == (6890, 3, 10)
    assert shapes["posedirs"] == (6890, 3, 207)
    assert shapes["J_regressor"] == (24, 6890)
    assert shapes["J_regressor_h36m"] == (17, 6890)
    assert arrays["f"].dtype == np.uint32
    root, *others = arrays["kintree_table"][0].tolist()
    assert root == 2**32 - 1
    assert others == list(PARENTS[1:])


def test_surface_is_one_closed_sphere_with_outward_normals(
    template: np.ndarray, faces: np.ndarray
) -> None:
    directed = find_edges(faces)
    edges, uses = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    assert (uses == 2).all()
    assert len(np.unique(directed, axis=0)) == len(directed)  # neighbours wind alike
    assert len(template) - len(edges) + len(faces) == 2
    assert len(np.unique(faces)) == len(template)
    reached = np.zeros(len(template), bool)
    reached[0] = True
    while True:
        grown = reached.copy()
        grown[edges[reached[edges].any(axis=1)]] = True
        if (grown == reached).all():
            break
        reached = grown
    assert reached.all()
    assert 0.050 < find_volume(template, faces) < 0.090


def test_vertices_lie_on_the_implicit_surface(template: np.ndarray) -> None:
    half = template[template[:, 0] >= 0]
    assert np.abs(BodySurface.assemble()(half)).max() < 1e-5


def test_triangles_are_well_shaped(template: np.ndarray, faces: np.ndarray) -> None:
    angles = find_angles(template, faces)
    assert angles.min() > 25
    assert np.percentile(angles, 1) > 38


def test_crossing_triangles_are_found(template: np.ndarray, faces: np.ndarray) -> None:
    bent = template.copy()
    thumb = (bent[:, 0] > 0.75) & (bent[:, 2] > 0.012)
    bent[thumb, 2] -= 0.03  # into the palm
    assert len(find_intersections(bent, faces)) > 10


@pytest.mark.parametrize("value", [-3.0, 3.0])
@pytest.mark.parametrize("name", DIRECTIONS)
def test_nothing_crosses_at_three_deviations(
    arrays: Arrays, faces: np.ndarray, name: str, value: float
) -> None:
    assert len(find_intersections(shaped(arrays, name, value), faces)) == 0


def test_nothing_crosses_at_rest(template: np.ndarray, faces: np.ndarray) -> None:
    assert len(find_intersections(template, faces)) == 0


def test_left_and_right_are_mirror_images(arrays: Arrays, template: np.ndarray) -> None:
    mirror, joints = arrays["mirror"], list(MIRRORED_JOINTS)
    np.testing.assert_array_equal(mirror[mirror], np.arange(6890))
    assert np.abs(template[mirror] * REFLECTION - template).max() < 1e-7
    np.testing.assert_array_equal(arrays["weights"][mirror][:, joints], arrays["weights"])
    np.testing.assert_array_equal(arrays["J_regressor"][joints][:, mirror], arrays["J_regressor"])
    swapped = arrays["J_regressor_h36m"][list(H36M_MIRRORED)][:, mirror]
    np.testing.assert_array_equal(swapped, arrays["J_regressor_h36m"])
    moved = arrays["shapedirs"][mirror] * REFLECTION[:, None]
    assert np.abs(moved - arrays["shapedirs"]).max() < 1e-7
    turned = {tuple(sorted(face)) for face in mirror[arrays["f"].astype(int)].tolist()}
    assert turned == {tuple(sorted(face)) for face in arrays["f"].tolist()}


def test_height_and_joints_are_those_of_an_adult(arrays: Arrays, template: np.ndarray) -> None:
    assert 1.65 < np.ptp(template[:, 1]) < 1.75
    expected = {
        "pelvis": (0, -0.23, 0.0), "l_hip": (0.07, -0.32, 0.01), "l_knee": (0.1, -0.7, 0.01),
        "l_ankle": (0.09, -1.1, -0.03), "neck": (0, 0.29, -0.01), "head": (0, 0.36, 0.03),
        "l_shoulder": (0.17, 0.22, -0.01), "l_elbow": (0.43, 0.21, -0.04),
        "l_wrist": (0.69, 0.22, -0.04), "l_hand": (0.77, 0.21, -0.05),
    }  # fmt: skip
    for name, place in expected.items():
        assert np.linalg.norm(joint(arrays, template, name) - place) < 0.04, name


def test_face_looks_forward_and_palms_down(arrays: Arrays, template: np.ndarray) -> None:
    points = dict(zip(H36M_NAMES, arrays["J_regressor_h36m"] @ template, strict=True))
    assert points["Nose"][2] > points["Head"][2] + 0.08
    assert points["Head"][1] > 0.53
    toes = template[template[:, 1] < -1.12]
    assert toes[:, 2].max() > 0.15
    hand = template[template[:, 0] > 0.75]
    assert np.ptp(hand[:, 2]) > 2.5 * np.ptp(hand[:, 1])


def test_weights_are_few_smooth_and_sum_to_one(arrays: Arrays, faces: np.ndarray) -> None:
    weights = arrays["weights"].astype(np.float64)
    np.testing.assert_array_equal(weights.sum(axis=1), 1.0)
    assert weights.min() >= 0
    assert (weights > 0).sum(axis=1).max() <= 4
    assert (weights.max(axis=0) > 0.5).all()  # every joint leads somewhere
    a, b = find_edges(faces).T
    length = np.linalg.norm(arrays["v_template"][a] - arrays["v_template"][b], axis=1)
    share = np.abs(weights[a] - weights[b]).sum(axis=1) / 2
    assert (share / length).max() < 50  # at most half a vertex's weight over 1 cm


def test_weights_belong_to_their_own_limb(arrays: Arrays, template: np.ndarray) -> None:
    owner = arrays["weights"].argmax(axis=1)
    names = np.array(JOINT_NAMES)[owner]
    left = np.char.startswith(names, "l_")
    right = np.char.startswith(names, "r_")
    assert (template[left, 0] >= 0).all()
    assert (template[right, 0] <= 0).all()
    assert set(names[template[:, 0] > 0.80]) == {"l_hand"}
    assert set(names[template[:, 1] > 0.42]) == {"head"}
    assert set(names[(template[:, 1] < -0.75) & (template[:, 1] > -1.0)]) == {"l_knee", "r_knee"}


def test_regressor_follows_the_joints_for_random_shapes(arrays: Arrays) -> None:
    regressor = arrays["J_regressor"].astype(np.float64)
    np.testing.assert_allclose(regressor.sum(axis=1), 1.0, atol=1e-6)
    assert regressor.min() >= 0
    assert (regressor > 0).sum(axis=1).max() < 500
    betas = np.random.default_rng(0).normal(scale=1.2, size=(50, 10))
    vertices = arrays["v_template"] + np.einsum("vck,bk->bvc", arrays["shapedirs"], betas)
    wanted = arrays["joint_centres"] + np.einsum("jck,bk->bjc", arrays["joint_shapedirs"], betas)
    assert np.linalg.norm(regressor @ vertices - wanted, axis=2).max() < 0.005


def test_h36m_joints_are_where_their_names_say(arrays: Arrays, template: np.ndarray) -> None:
    regressor = arrays["J_regressor_h36m"]
    np.testing.assert_allclose(regressor.sum(axis=1), 1.0, atol=1e-6)
    points = dict(zip(H36M_NAMES, regressor @ template, strict=True))
    for name in H36M_NAMES:
        if name.lower() in JOINT_NAMES and name != "Head" and name not in ("Pelvis", "Neck"):
            own = joint(arrays, template, name.lower())
            assert np.linalg.norm(points[name] - own) < 0.002, name
    hips = (points["L_Hip"] + points["R_Hip"]) / 2
    assert np.linalg.norm(points["Pelvis"] - hips) < 0.002


def test_height_changes_by_seven_centimetres(arrays: Arrays) -> None:
    heights = [np.ptp(shaped(arrays, "height", value)[:, 1]) for value in (-3, -2, -1, 0, 1, 2, 3)]
    np.testing.assert_allclose(np.diff(heights), 0.07, atol=0.005)


def test_directions_do_what_they_are_called(arrays: Arrays, faces: np.ndarray) -> None:
    def gain(name: str, measure: str) -> float:
        low, high = (shaped(arrays, name, value) for value in (-1.0, 1.0))
        return measures[measure](high) - measures[measure](low)

    def length(vertices: np.ndarray, first: str, second: str) -> float:
        ends = joint(arrays, vertices, first) - joint(arrays, vertices, second)
        return float(np.linalg.norm(ends))

    def depth(vertices: np.ndarray, level: float) -> float:
        rest = arrays["v_template"]
        slab = (np.abs(rest[:, 1] - level) < 0.02) & (np.abs(rest[:, 0]) < 0.2)
        return float(np.ptp(vertices[slab, 2]))

    measures = {
        "volume": lambda v: find_volume(v, faces),
        "leg": lambda v: length(v, "l_hip", "l_ankle"),
        "trunk": lambda v: length(v, "pelvis", "neck"),
        "shoulders": lambda v: length(v, "l_shoulder", "r_shoulder"),
        "hips": lambda v: float(np.ptp(v[np.abs(arrays["v_template"][:, 1] + 0.3) < 0.02, 0])),
        "arm": lambda v: length(v, "l_shoulder", "l_wrist"),
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
    rotations[:, JOINT_NAMES.index("l_knee")] = rotation_from_axis_angle(turn)
    rest_knee = body.rest_joints[JOINT_NAMES.index("l_knee")].numpy()
    kneecap = np.argmin(np.linalg.norm(template - rest_knee - np.array([0.0, 0.0, 0.07]), axis=1))
    with torch.no_grad():
        mesh = body.mesh(rotations, torch.zeros(1, 10))
        plain = Body(load_smpl_file(BUILTIN_BODY_PATH))
        plain.posedirs.zero_()
        without = plain.mesh(rotations, torch.zeros(1, 10))
    knee = mesh.joints[0, JOINT_NAMES.index("l_knee")]
    thick = float(torch.linalg.norm(mesh.vertices[0, kneecap] - knee))
    thin = float(torch.linalg.norm(without.vertices[0, kneecap] - knee))
    rest = float(np.linalg.norm(template[kneecap] - rest_knee))
    assert thin < 0.85 * rest
    assert 0.92 * rest < thick < 1.08 * rest


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_smplx_loads_it_and_poses_it_alike(body: Body, arrays: Arrays, tmp_path: Path) -> None:
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
