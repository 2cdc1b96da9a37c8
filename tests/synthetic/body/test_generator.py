"""Properties of the shipped body at rest, measured on the file itself."""

import numpy as np
import pytest

from smpler_model.body.builtin import BUILTIN_BODY_PATH
from smpler_model.body.skeleton import (
    H36M_JOINTS,
    MIRRORED_JOINTS,
    SMPL_JOINTS,
    SMPL_PARENTS,
    other_side,
)
from synthetic.body.generator import build_body, build_mesh
from synthetic.body.surface import BodySurface
from tests.synthetic.body.body_geometry import (
    Arrays,
    find_angles,
    find_edges,
    find_intersections,
    find_joint,
    find_volume,
)

REFLECTION = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def generated() -> Arrays:
    return build_body(*build_mesh())


@pytest.mark.slow
def test_generator_reproduces_the_shipped_body(arrays: Arrays, generated: Arrays) -> None:
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
    assert others == list(SMPL_PARENTS[1:])


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


def test_nothing_crosses_at_rest(template: np.ndarray, faces: np.ndarray) -> None:
    assert len(find_intersections(template, faces)) == 0


def test_left_and_right_are_mirror_images(arrays: Arrays, template: np.ndarray) -> None:
    mirror, joints = arrays["mirror"], list(MIRRORED_JOINTS)
    np.testing.assert_array_equal(mirror[mirror], np.arange(6890))
    assert np.abs(template[mirror] * REFLECTION - template).max() < 1e-7
    np.testing.assert_array_equal(arrays["weights"][mirror][:, joints], arrays["weights"])
    np.testing.assert_array_equal(arrays["J_regressor"][joints][:, mirror], arrays["J_regressor"])
    sides = [H36M_JOINTS.index(other_side(name)) for name in H36M_JOINTS]
    swapped = arrays["J_regressor_h36m"][sides][:, mirror]
    np.testing.assert_array_equal(swapped, arrays["J_regressor_h36m"])
    moved = arrays["shapedirs"][mirror] * REFLECTION[:, None]
    assert np.abs(moved - arrays["shapedirs"]).max() < 1e-7
    turned = {tuple(sorted(face)) for face in mirror[arrays["f"].astype(int)].tolist()}
    assert turned == {tuple(sorted(face)) for face in arrays["f"].tolist()}


def test_height_and_joints_are_those_of_an_adult(arrays: Arrays, template: np.ndarray) -> None:
    assert 1.65 < np.ptp(template[:, 1]) < 1.75
    expected = {
        "pelvis": (0, -0.23, 0.0), "left_hip": (0.07, -0.32, 0.01), "left_knee": (0.1, -0.7, 0.01),
        "left_ankle": (0.09, -1.1, -0.03), "neck": (0, 0.29, -0.01), "head": (0, 0.36, 0.03),
        "left_shoulder": (0.17, 0.22, -0.01), "left_elbow": (0.43, 0.21, -0.04),
        "left_wrist": (0.69, 0.22, -0.04), "left_hand": (0.77, 0.21, -0.05),
    }  # fmt: skip
    for name, place in expected.items():
        assert np.linalg.norm(find_joint(arrays, template, name) - place) < 0.04, name


def test_face_looks_forward_and_palms_down(arrays: Arrays, template: np.ndarray) -> None:
    points = dict(zip(H36M_JOINTS, arrays["J_regressor_h36m"] @ template, strict=True))
    assert points["nose"][2] > points["head"][2] + 0.08
    assert points["head"][1] > 0.53
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
    names = np.array(SMPL_JOINTS)[owner]
    left = np.char.startswith(names, "left_")
    right = np.char.startswith(names, "right_")
    assert (template[left, 0] >= 0).all()
    assert (template[right, 0] <= 0).all()
    assert set(names[template[:, 0] > 0.80]) == {"left_hand"}
    assert set(names[template[:, 1] > 0.42]) == {"head"}
    assert set(names[(template[:, 1] < -0.75) & (template[:, 1] > -1.0)]) == {
        "left_knee",
        "right_knee",
    }


def test_regressor_follows_the_joints_for_random_shapes(arrays: Arrays) -> None:
    regressor = arrays["J_regressor"].astype(np.float64)
    np.testing.assert_allclose(regressor.sum(axis=1), 1.0, atol=1e-6)
    assert regressor.min() >= 0
    assert (regressor > 0).sum(axis=1).max() < 500
    betas = np.random.default_rng(0).normal(scale=1.2, size=(50, 10))
    vertices = arrays["v_template"] + np.einsum("vck,bk->bvc", arrays["shapedirs"], betas)
    wanted = arrays["joint_centres"] + np.einsum("jck,bk->bjc", arrays["joint_shapedirs"], betas)
    assert np.linalg.norm(regressor @ vertices - wanted, axis=2).max() < 0.005


def test_h36m_joints_have_plausible_positions(arrays: Arrays, template: np.ndarray) -> None:
    regressor = arrays["J_regressor_h36m"]
    np.testing.assert_allclose(regressor.sum(axis=1), 1.0, atol=1e-6)
    points = dict(zip(H36M_JOINTS, regressor @ template, strict=True))
    for name in H36M_JOINTS:
        if name in SMPL_JOINTS and name not in ("head", "pelvis", "neck"):
            own = find_joint(arrays, template, name)
            assert np.linalg.norm(points[name] - own) < 0.002, name
    hips = (points["left_hip"] + points["right_hip"]) / 2
    assert np.linalg.norm(points["pelvis"] - hips) < 0.002
