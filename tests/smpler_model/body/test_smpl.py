import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd import gradcheck

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.skeleton import SMPL_PARENTS
from smpler_model.body.smpl import Body, blend_pose, find_ancestors, pose_joints, skin
from smpler_model.network.geometry import rotation_from_axis_angle
from tests.parity.seeded_checkpoint import seeded_body

PEOPLE = 3


@pytest.fixture(scope="module")
def parameters() -> tuple[Tensor, Tensor]:
    """Axis-angle poses (3, 24, 3) and betas (3, 10)."""
    generator = torch.Generator().manual_seed(0)
    pose = 0.7 * torch.randn(PEOPLE, 24, 3, generator=generator, dtype=torch.float64)
    pose[0] = 0  # the rest pose
    return pose, torch.randn(PEOPLE, 10, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module")
def smplx_model() -> nn.Module:
    """The same body in `smplx`, the oracle."""
    import smplx
    from smplx.utils import Struct

    body = {key: values for key, values in seeded_body().items() if "_h36m" not in key}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return smplx.SMPL("", data_struct=Struct(**body), dtype=torch.float64)


@pytest.fixture(scope="module")
def body(body_arrays: BodyArrays) -> Body:
    return Body(body_arrays)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_vertices_and_joints_equal_those_of_smplx(
    body_arrays: BodyArrays,
    smplx_model: nn.Module,
    parameters: tuple[Tensor, Tensor],
    dtype: torch.dtype,
) -> None:
    pose, betas = parameters
    expected = smplx_model(betas=betas, global_orient=pose[:, 0], body_pose=pose[:, 1:].flatten(1))

    body = Body(body_arrays).to(dtype)
    mesh = body.mesh(rotation_from_axis_angle(pose).to(dtype), betas.to(dtype))

    assert torch.allclose(mesh.vertices.double(), expected.vertices, atol=1e-5, rtol=0)
    assert torch.allclose(mesh.joints.double(), expected.joints[:, :24], atol=1e-5, rtol=0)


def test_joints_alone_equal_those_of_the_mesh(
    body: Body, parameters: tuple[Tensor, Tensor]
) -> None:
    rotations, betas = rotation_from_axis_angle(parameters[0]).float(), parameters[1].float()
    assert torch.equal(body.joints(rotations, betas), body.mesh(rotations, betas).joints)


def test_rest_pose_has_the_regressed_joints(body: Body) -> None:
    betas = torch.randn(2, 10, generator=torch.Generator().manual_seed(1))
    mesh = body.mesh(torch.eye(3).expand(2, 24, 3, 3), betas)
    assert torch.allclose(body.J_regressor @ mesh.vertices, mesh.joints, atol=1e-5)


def test_rotating_the_pelvis_rotates_the_whole_body(
    body: Body, parameters: tuple[Tensor, Tensor]
) -> None:
    rotations, betas = rotation_from_axis_angle(parameters[0]).float(), parameters[1].float()
    turn = rotation_from_axis_angle(torch.tensor([0.4, -1.2, 0.3]))
    turned = rotations.clone()
    turned[:, 0] = turn @ rotations[:, 0]

    before, after = body.mesh(rotations, betas), body.mesh(turned, betas)

    about_pelvis = before.vertices - before.joints[:, :1]
    expected = about_pelvis @ turn.T + before.joints[:, :1]
    assert torch.allclose(after.vertices, expected, atol=1e-5)


def test_gradients_through_the_joints(body_arrays: BodyArrays) -> None:
    body = Body(body_arrays).double()
    pose = (0.5 * torch.randn(1, 24, 3, dtype=torch.float64)).requires_grad_()
    betas = torch.randn(1, 10, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda p, b: body.joints(rotation_from_axis_angle(p), b), (pose, betas))


@pytest.mark.slow
def test_gradients_through_the_mesh(body_arrays: BodyArrays) -> None:
    torch.manual_seed(0)
    body = Body(body_arrays).double()
    pose = (0.5 * torch.randn(1, 24, 3, dtype=torch.float64)).requires_grad_()
    betas = torch.randn(1, 10, dtype=torch.float64, requires_grad=True)
    chosen = torch.arange(0, 6890, 331)
    for name in ("v_template", "shapedirs", "weights"):
        setattr(body, name, getattr(body, name)[chosen])
    body.posedirs = body.posedirs.reshape(207, -1, 3)[:, chosen].flatten(1)

    def vertices(p: Tensor, b: Tensor) -> Tensor:
        return body.mesh(rotation_from_axis_angle(p), b).vertices

    assert gradcheck(vertices, (pose, betas))


def test_casting_up_regains_the_precision_of_the_rest_joints(body_arrays: BodyArrays) -> None:
    body = Body(body_arrays).double()
    expected = body.J_regressor @ body.v_template
    assert torch.allclose(body.rest_joints, expected, atol=1e-15)


def test_body_has_no_learned_parameters(body: Body) -> None:
    assert not body.state_dict()
    assert not list(body.parameters())


def test_arrays_are_returned_unchanged(body: Body, body_arrays: BodyArrays) -> None:
    held = body.arrays()
    for name in ("v_template", "weights", "J_regressor", "shapedirs", "posedirs"):
        expected = getattr(body_arrays, name).astype(np.float32)
        assert np.array_equal(getattr(held, name), expected), name
    assert np.array_equal(held.faces, body_arrays.faces)
    assert held.parents.tolist() == list(SMPL_PARENTS)


def test_joints_of_h36m_need_a_regressor(body_arrays: BodyArrays) -> None:
    body = Body(body_arrays.with_regressor(None))
    with pytest.raises(ValueError, match="with_regressor"):
        body.h36m_joints(torch.zeros(1, 6890, 3))
    assert body.arrays().J_regressor_h36m is None


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    size = draw(st.integers(2, 30))
    return [-1, *(draw(st.integers(0, joint - 1)) for joint in range(1, size))]


@given(trees())
def test_doubling_equals_walking_down_the_tree(parents: list[int]) -> None:
    k = len(parents)
    generator = torch.Generator().manual_seed(k)
    vectors = torch.randn(1, k, 3, generator=generator, dtype=torch.float64)
    rest = torch.randn(1, k, 3, generator=generator, dtype=torch.float64)
    rotations = rotation_from_axis_angle(vectors)

    ancestors = torch.from_numpy(find_ancestors(np.array(parents)))
    found = pose_joints(rotations, rest, ancestors)[0]

    turned, placed = [rotations[0, 0]], [rest[0, 0]]
    for joint in range(1, k):
        p = parents[joint]
        turned.append(turned[p] @ rotations[0, joint])
        placed.append(turned[p] @ (rest[0, joint] - rest[0, p]) + placed[p])
    assert torch.allclose(found[:, :3, :3], torch.stack(turned), atol=1e-12)
    assert torch.allclose(found[:, :3, 3], torch.stack(placed), atol=1e-11)


def test_unrotated_joints_need_no_correction() -> None:
    directions = torch.randn(207, 12, generator=torch.Generator().manual_seed(0))
    assert (blend_pose(directions, torch.eye(3).expand(1, 24, 3, 3)) == 0).all()


def test_skinning_averages_transforms_by_weight() -> None:
    moved = torch.eye(4).repeat(1, 2, 1, 1)
    moved[0, 1, :3, 3] = torch.tensor([4.0, 0, 0])
    vertices = torch.tensor([[[0.0, 1, 0], [1.0, 1, 0]]])
    weights = torch.tensor([[0.75, 0.25], [0.0, 1.0]])
    expected = torch.tensor([[[1.0, 1, 0], [5.0, 1, 0]]])
    assert torch.equal(skin(vertices, weights, moved), expected)
