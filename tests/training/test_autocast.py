"""The network in half precision: rotations, body and camera keep full precision."""

import pytest
import torch

from smpler_model.checkpoints.shipped import load_shipped_model
from smpler_model.inference.check_crops import load_check_crops
from smpler_model.network.smpler import Smpler
from training.learning.objectives import normalise

pytestmark = pytest.mark.slow

BITS = [torch.bfloat16, torch.float16]


def skewness(rotations: torch.Tensor) -> float:
    """Return how far matrices (..., 3, 3) are from rotations, on average: 0 for rotations.

    The largest of hundreds of rounding errors varies by several times, their mean hardly does.
    """
    product = rotations @ rotations.mT
    return float((product - torch.eye(3)).abs().amax((-1, -2)).mean())


@pytest.mark.parametrize("bits", BITS, ids=str)
def test_estimates_stay_in_float32(bits: torch.dtype) -> None:
    shipped = load_shipped_model("smpler_nano")
    crops = torch.from_numpy(load_check_crops(shipped.config.image_size)).movedim(3, 1)
    images = normalise(crops.float(), shipped)
    with torch.inference_mode():
        plain = shipped(images)
        with torch.autocast("cpu", bits):
            output = shipped(images)
    assert output.mesh is not None
    assert output.mesh.vertices.dtype == torch.float32
    for stage, exact in zip(output.stages, plain.stages, strict=True):
        assert all(values.dtype == torch.float32 for values in vars(stage).values())
        # As orthonormal as float32 makes them: half precision is a thousand times coarser.
        assert skewness(stage.rotations) < 2 * skewness(exact.rotations)
        joints = shipped.body.joints(stage.rotations, stage.betas)
        torch.testing.assert_close(stage.joints, joints, atol=1e-6, rtol=0)
        # On average: a wrist that two places explain equally well may jump from one to the other.
        assert (stage.joints - exact.joints).norm(dim=-1).mean() < 0.02


@pytest.mark.parametrize("bits", BITS, ids=str)
def test_gradients_reach_every_weight(nano: Smpler, bits: torch.dtype) -> None:
    side = nano.config.image_size
    with torch.autocast("cpu", bits):
        output = nano(torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0)))
    assert output.mesh is not None
    loss = output.mesh.vertices.abs().mean() + output.final.keypoints.square().mean()
    gradients = torch.autograd.grad(loss, list(nano.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)
