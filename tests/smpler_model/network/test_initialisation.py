from dataclasses import replace

import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.geometry import rotation_from_6d
from smpler_model.network.initialisation import build_backbone_model, build_model
from smpler_model.network.mean_parameters import MeanParameters, upright_parameters

SIDE = SMPLER_NANO.image_size


def test_untrained_network_stays_near_the_mean(body_arrays: BodyArrays) -> None:
    torch.manual_seed(0)
    pose = torch.linalg.qr(torch.randn(24, 3, 3)).Q[..., :2].flatten(-2)
    mean = MeanParameters(
        pose.flatten().numpy(), torch.randn(10).numpy(), torch.tensor([0.8, 0.1, -0.2]).numpy()
    )
    # What is aligned follows keypoints, whatever they are.
    config = replace(SMPLER_NANO, limb_alignment=False, trunk_alignment=False)
    model = build_model(config, body_arrays, mean).train()

    with torch.no_grad():
        stages = model(torch.randn(4, 3, SIDE, SIDE), mesh=False).stages

    for stage in stages:
        assert torch.allclose(
            stage.rotations, rotation_from_6d(pose).expand(4, -1, -1, -1), atol=0.5
        )
        assert torch.allclose(stage.betas, torch.from_numpy(mean.betas).expand(4, -1), atol=0.3)
        assert torch.allclose(stage.camera, torch.from_numpy(mean.camera).expand(4, -1), atol=0.3)


def test_upright_body_has_its_head_above_its_feet_in_the_image(body_arrays: BodyArrays) -> None:
    model = build_backbone_model(SMPLER_NANO, body_arrays)
    rotations = rotation_from_6d(torch.from_numpy(upright_parameters().pose_6d).reshape(24, 6))
    up = rotations[0] @ torch.tensor([0.0, 1.0, 0.0])  # SMPL's y points up, the image's down
    towards_camera = rotations[0] @ torch.tensor([0.0, 0.0, 1.0])  # SMPL looks along z
    assert torch.equal(up, torch.tensor([0.0, -1.0, 0.0]))
    assert torch.equal(towards_camera, torch.tensor([0.0, 0.0, -1.0]))
    assert torch.equal(model.regressor.initial_shape, torch.zeros(1, 10))


def test_backbone_model_gives_one_stage(body_arrays: BodyArrays) -> None:
    model = build_backbone_model(SMPLER_NANO, body_arrays).eval()
    with torch.inference_mode():
        output = model(torch.zeros(2, 3, SIDE, SIDE))
    assert len(output.stages) == 1
    assert output.mesh is not None
    assert output.mesh.vertices.shape == (2, 6890, 3)


def test_same_seed_gives_the_same_weights(body_arrays: BodyArrays) -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build_model(SMPLER_NANO, body_arrays).state_dict())
    assert all(torch.equal(values, states[1][key]) for key, values in states[0].items())
