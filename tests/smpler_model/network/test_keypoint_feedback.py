"""Feedback: offsets from an estimate's joints to the keypoints that the backbone finds."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.network.config import SMPLER_NANO, SMPLER_W32
from smpler_model.network.initialisation import build_model
from smpler_model.network.keypoint_feedback import (
    LIMB_ROWS,
    compare_observed,
    read_observed,
)

SIDE = SMPLER_NANO.image_size


def test_the_backbones_last_channels_are_the_observed_joints(body_arrays: BodyArrays) -> None:
    torch.manual_seed(0)
    backbone = build_model(SMPLER_NANO, body_arrays).eval().backbone
    found = {}
    backbone.reader.register_forward_hook(lambda _layer, _inputs, read: found.update(read=read))
    with torch.inference_mode():
        features = backbone(torch.randn(2, 3, SIDE, SIDE))
    observed = read_observed(features[-1].mean((2, 3)))
    assert [SMPL_JOINTS[joint] for joint in LIMB_ROWS[::2]] == [
        f"left_{limb}" for limb in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    ]
    # COCO's 17 keypoints begin with five of the head.
    torch.testing.assert_close(observed, found["read"][:, 5:])


@given(st.integers(0, 1000), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_offsets_point_from_the_estimate_to_the_image(seed: int, x: float, y: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.randn(2, 12, 2, generator=generator)
    visibility = torch.rand(2, 12, 1, generator=generator)
    shift = torch.tensor([x, y])
    observed = torch.cat((keypoints + shift, visibility), 2)
    compared = compare_observed(observed, keypoints)
    torch.testing.assert_close(compared[..., :2], (10 * shift).expand(2, 12, 2), atol=1e-5, rtol=0)
    assert torch.equal(compared[..., 2:], visibility)


def test_a_far_keypoint_does_not_outweigh_everything() -> None:
    observed = torch.full((1, 12, 3), 50.0)
    offsets = compare_observed(observed, torch.zeros(1, 12, 2))[..., :2]
    assert offsets.abs().max() == pytest.approx(6)


def test_every_stage_can_follow_the_backbones_keypoints(body_arrays: BodyArrays) -> None:
    torch.manual_seed(0)
    model = build_model(replace(SMPLER_NANO, first_guess_feedback=True), body_arrays).eval()
    features = [
        torch.randn(1, n, s, s)
        for n, s in zip(SMPLER_NANO.channels, SMPLER_NANO.feature_sizes, strict=True)
    ]
    features[-1][:, -1] = 0  # its visibility, so that the alignment does not follow it
    moved = [*features[:-1], features[-1].clone()]
    moved[-1][:, -3] += 0.2  # x of the right ankle

    def change() -> list[float]:
        with torch.inference_mode():
            pairs = zip(model.refine(features), model.refine(moved), strict=True)
            return [float((a.rotations - b.rotations).abs().max()) for a, b in pairs]

    with torch.no_grad():
        model.regressor.hidden[0].weight.zero_()
        model.embedding.image.weight.zero_()
        for block in model.blocks:
            block.projections[-1].convolution.weight.zero_()
    assert change() == [0, 0, 0], "an untrained network ignores them"
    with torch.no_grad():
        model.blocks[1].feedback.weight.fill_(0.1)
    first, second, third = change()
    assert first == second == 0 < third
    with torch.no_grad():
        model.blocks[1].feedback.weight.zero_()
        model.blocks[0].turn_feedback.weight.fill_(0.1)
    first, second, third = change()
    assert first == 0 < min(second, third)
    with torch.no_grad():
        model.regressor.feedback.weight.normal_()
    assert min(change()) > 0


def test_only_a_mobile_backbone_has_keypoints() -> None:
    with pytest.raises(ValueError, match="needs a mobile backbone, got 'hrnet_w32'"):
        replace(SMPLER_W32, keypoint_feedback=True)
    with pytest.raises(ValueError, match="first_guess_feedback needs a mobile backbone"):
        replace(SMPLER_W32, first_guess_feedback=True)
