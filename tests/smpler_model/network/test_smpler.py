from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.skeleton import H36M_EVALUATED, H36M_PELVIS
from smpler_model.checkpoints.files import load_model
from smpler_model.network.config import SMPLER_NANO, AttentionKind
from smpler_model.network.estimates import SmplerOutput
from smpler_model.network.geometry import project_weak_perspective
from smpler_model.network.initialisation import build_model
from smpler_model.network.smpler import Smpler
from tests.conftest import OfficialFile
from tests.parity.seeded_checkpoint import DATA, VARIANTS, seeded_images

EXACT = 1e-9
PARAMETER_COUNTS = {"w32_h36m": 37_355_950, "w48_3dpw": 73_615_150}

SIDE = SMPLER_NANO.image_size


@dataclass(frozen=True)
class Parity:
    """One run of an official model in float64, and its expected results."""

    variant: str
    model: Smpler
    features: list[Tensor]
    output: SmplerOutput
    expected: Mapping[str, NDArray[np.float64]]


@pytest.fixture(
    scope="module", params=[VARIANTS[0], pytest.param(VARIANTS[1], marks=pytest.mark.slow)]
)
def parity(request: pytest.FixtureRequest, official_file: OfficialFile) -> Parity:
    variant = request.param
    model = load_model(official_file(variant)).double()
    features: list[Tensor] = []
    model.backbone.register_forward_hook(lambda _module, _inputs, maps: features.extend(maps))
    with torch.inference_mode():
        output = model(seeded_images(3).double())
    return Parity(variant, model, features, output, np.load(DATA / f"expected_{variant}.npz"))


def assert_equal(found: Tensor, expected: NDArray[np.float64], name: str) -> None:
    assert found.shape == expected.shape, name
    assert np.abs(found.numpy() - expected).max() < EXACT, name


def test_official_parameter_counts(parity: Parity) -> None:
    count = sum(p.numel() for p in parity.model.parameters() if p.requires_grad)
    assert count == PARAMETER_COUNTS[parity.variant]


@pytest.mark.parametrize("index", range(4))
def test_feature_maps_equal_the_reference(parity: Parity, index: int) -> None:
    feature_map = parity.features[index]
    corner = feature_map[:, :8, :3, :3]
    assert_equal(corner, parity.expected[f"feature{index}_corner"], "corner")
    summary = torch.stack((feature_map.mean(), feature_map.std()))
    assert_equal(summary, parity.expected[f"feature{index}_mean_std"], "mean and deviation")


@pytest.mark.parametrize("index", range(4))
def test_stages_equal_the_reference(parity: Parity, index: int) -> None:
    stage, body = parity.output.stages[index], parity.model.body
    with torch.inference_mode():
        vertices = body.mesh(stage.rotations, stage.betas).vertices
        regressed = body.h36m_joints(vertices)
    joints = regressed[:, list(H36M_EVALUATED)]
    found = {
        "theta": stage.rotations,
        "beta": stage.betas,
        "cam": stage.camera,
        "smpl_joints": stage.joints,
        "smpl_joints2d": stage.keypoints,
        "joints": joints,
        "joints_minus_pelvis": joints - regressed[:, [H36M_PELVIS]],
        "joints2d": project_weak_perspective(joints, stage.camera),
        "vertices_every_53": vertices[:, ::53],
    }
    prefix = f"stage{index}/"
    names = {key.removeprefix(prefix) for key in parity.expected if key.startswith(prefix)}
    assert names == set(found)
    for name, values in found.items():
        assert_equal(values, parity.expected[prefix + name], name)


def test_mesh_is_that_of_the_last_stage(parity: Parity) -> None:
    mesh = parity.output.mesh
    assert mesh is not None
    assert_equal(mesh.vertices[:, ::53], parity.expected["stage3/vertices_every_53"], "mesh")
    assert torch.equal(mesh.joints, parity.output.final.joints)


def test_omitting_the_mesh_changes_nothing_else(nano: Smpler) -> None:
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        with_mesh, without = nano(images), nano(images, mesh=False)
    assert with_mesh.mesh is not None
    assert without.mesh is None
    for one, other in zip(with_mesh.stages, without.stages, strict=True):
        assert all(torch.equal(a, getattr(other, name)) for name, a in vars(one).items())


def test_blocks_compute_no_vertices(nano: Smpler, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    mesh = nano.body.mesh
    monkeypatch.setattr(nano.body, "mesh", lambda *a: calls.append(a) or mesh(*a))
    images = torch.zeros(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        nano(images, mesh=False)
        assert not calls
        nano(images)
    assert len(calls) == 1


def test_people_in_a_batch_do_not_affect_each_other(nano: Smpler) -> None:
    images = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together, alone = nano(images).final, nano(images[1:2]).final
    assert torch.allclose(together.joints[1:2], alone.joints, atol=1e-4)
    assert torch.allclose(together.camera[1:2], alone.camera, atol=1e-4)


@pytest.mark.parametrize("attention", ["decoupled", "full"])
def test_every_weight_gets_a_gradient(body_arrays: BodyArrays, attention: AttentionKind) -> None:
    torch.manual_seed(0)
    config = replace(SMPLER_NANO, attention=attention, image_size=64)
    model = build_model(config, body_arrays).train()
    output = model(torch.randn(4, 3, 64, 64))
    assert output.mesh is not None
    (output.mesh.vertices.abs().mean() + output.final.keypoints.square().mean()).backward()
    idle = [
        name
        for name, p in model.named_parameters()
        if p.grad is None or not p.grad.isfinite().all()
    ]
    assert not idle


@pytest.mark.slow
def test_training_follows_the_targets(body_arrays: BodyArrays) -> None:
    torch.manual_seed(0)
    config = replace(SMPLER_NANO, image_size=64)
    model = build_model(config, body_arrays).train()
    images, betas = torch.randn(4, 3, 64, 64), torch.randn(4, 10)
    optimiser = torch.optim.Adam(model.parameters(), 3e-4)
    losses = []
    for _ in range(24):
        loss = (model(images, mesh=False).final.betas - betas).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
