"""Crops of the upper part of people: labels follow the image, and the rest is hidden."""

from dataclasses import replace

import pytest
import torch

from smpler_model.body.skeleton import SMPL_JOINTS
from training.data.crop_files import Batch, CropFiles
from training.data.partial_crops import show_parts

ROWS = torch.arange(16)


def show(batch: Batch, seed: int, share: float = 1.0) -> tuple[Batch, torch.Tensor]:
    """Return the crops and which of them have changed."""
    shown = show_parts(batch, torch.Generator().manual_seed(seed), share)
    return shown, (shown.keypoints != batch.keypoints).flatten(1).any(1)


def test_nothing_changes_without_a_share(crops: CropFiles) -> None:
    batch = crops.batch(ROWS)
    shown, changed = show(batch, 0, 0.0)
    assert not changed.any()
    assert torch.equal(shown.images, batch.images)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_is_larger_and_ends_above_the_feet(crops: CropFiles, seed: int) -> None:
    batch = crops.batch(ROWS)
    shown, changed = show(batch, seed)
    assert changed.sum() >= 8
    assert torch.equal(shown.images[~changed], batch.images[~changed])
    assert torch.equal(shown.rotations, batch.rotations)
    head = shown.keypoints[changed, SMPL_JOINTS.index("head")]
    assert (head.abs() < 1).all()
    ends = shown.keypoints[changed, : len(SMPL_JOINTS), 1].amax(1)
    assert (ends > 0.8).all()  # a square of 1.2 times the box around what is visible
    last = shown.images[changed][:, :, -1]
    assert (last == last[..., :1]).all()  # one colour hides the rest


def test_keypoints_show_the_same_pixels(crops: CropFiles) -> None:
    batch = crops.batch(ROWS)
    side = batch.images.shape[-1]
    places = (2 * torch.arange(side) + 1) / side - 1
    down, across = torch.meshgrid(places, places, indexing="ij")
    painted = torch.stack((across, down, torch.full_like(across, 7.0))).expand_as(batch.images)
    drawn = replace(batch, images=painted)  # each pixel is as bright as its place
    shown, changed = show(drawn, 1)
    joints = torch.arange(len(SMPL_JOINTS))
    compared = 0
    for row in changed.nonzero()[:, 0].tolist():
        pixels = ((shown.keypoints[row, joints] + 1) * side / 2 - 0.5).round().long()
        pixels = pixels.clamp(0, side - 1)
        found = shown.images[row][:, pixels[:, 1], pixels[:, 0]].T
        seen = (found[:, 2] - 7).abs() < 1e-3
        compared += int(seen.sum())
        wanted = drawn.keypoints[row, joints]
        seen &= (shown.keypoints[row, joints].abs() < 1).all(1)
        inside = seen & (wanted.abs() < 0.9).all(1)
        torch.testing.assert_close(found[inside, :2], wanted[inside], atol=0.03, rtol=0)
    assert compared > 50


def test_windows_keep_the_rays_of_keypoints(crops: CropFiles) -> None:
    batch = crops.batch(ROWS)
    shown, _ = show(batch, 2)

    def rays(each: Batch) -> torch.Tensor:
        centres, sides = each.windows[:, None, :2], each.windows[:, None, 2:]
        return centres + each.keypoints * sides / 2

    torch.testing.assert_close(rays(shown), rays(batch), atol=1e-4, rtol=0)
