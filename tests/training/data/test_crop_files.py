from pathlib import Path

import pytest
import torch

from smpler_model.body.skeleton import H36M_EVALUATED, H36M_JOINTS, MIRRORED_JOINTS
from smpler_model.body.smpl import Body
from training.data.crop_files import (
    MIRRORED_EVALUATED,
    Batch,
    CropFiles,
    augment,
    mirror,
    move,
)


def test_missing_files_are_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"render_crops"):
        CropFiles([Path("nowhere.npz")])


def test_mirroring_moves_joints_to_the_other_side() -> None:
    names = [H36M_JOINTS[row] for row in H36M_EVALUATED]
    swap = {"left": "right", "right": "left"}
    for name, other in zip(names, MIRRORED_EVALUATED, strict=True):
        side, _, part = name.partition("_")
        assert names[other] == (f"{swap[side]}_{part}" if side in swap else name)


def test_mirroring_twice_changes_nothing(crops: CropFiles) -> None:
    batch = crops.batch(torch.arange(4))
    twice = mirror(mirror(batch))
    for name, values in vars(batch).items():
        torch.testing.assert_close(getattr(twice, name), values)


def test_mirrored_labels_are_those_of_the_mirrored_body(crops: CropFiles, body: Body) -> None:
    batch = crops.batch(torch.arange(8))
    mirrored = mirror(batch)
    joints = body.joints(batch.rotations, batch.betas) * torch.tensor([-1.0, 1.0, 1.0])
    joints = joints[:, MIRRORED_JOINTS]
    posed = body.joints(mirrored.rotations, mirrored.betas)
    torch.testing.assert_close(posed - posed[:, :1], joints - joints[:, :1], atol=2e-5, rtol=0)


def test_augmented_labels_follow_the_image(crops: CropFiles) -> None:
    batch = crops.batch(torch.arange(16))
    changed = augment(batch, torch.Generator().manual_seed(0), colour=0.0, cutout=0.0)
    kept = (changed.images == batch.images).flatten(1).all(1)
    assert 0 < kept.sum() < 16
    for row in range(16):
        wanted = batch if kept[row] else mirror(batch)
        assert torch.equal(changed.keypoints[row], wanted.keypoints[row])
        assert torch.equal(changed.rotations[row], wanted.rotations[row])


def test_shifting_moves_image_and_keypoints(crops: CropFiles) -> None:
    batch = crops.batch(torch.arange(2))
    moved = move(batch, torch.tensor([[8, -4], [0, 0]]))
    assert torch.equal(moved.images[0, :, :-4, 8:], batch.images[0, :, 4:, :-8])
    assert torch.equal(moved.images[0, :, :, 0], moved.images[0, :, :, 8])  # the edge goes on
    side = batch.images.shape[-1]
    shift = torch.tensor([16 / side, -8 / side])
    torch.testing.assert_close(moved.keypoints[0], batch.keypoints[0] + shift)
    for name, values in vars(batch).items():
        assert torch.equal(getattr(moved, name)[1], values[1]), name


def rays_of_pelvis(batch: Batch) -> torch.Tensor:
    """Return (b, 2) x / z and y / z of the pelvis in the camera's frame."""
    return batch.windows[:, :2] + batch.keypoints[:, 0] * batch.windows[:, 2:] / 2


def test_windows_locate_keypoints_after_shifts_and_mirroring(crops: CropFiles) -> None:
    batch = crops.batch(torch.arange(8))
    moved = move(mirror(batch), torch.tensor([[8, -4]]).expand(8, 2))
    mirrored = rays_of_pelvis(batch) * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(rays_of_pelvis(moved), mirrored, atol=1e-5, rtol=0)


def test_turns_rotate_from_the_crop_to_the_camera(crops: CropFiles) -> None:
    batch = crops.batch(torch.arange(8))
    ahead = batch.turns @ torch.tensor([0.0, 0.0, 1.0])
    centres = ahead[:, :2] / ahead[:, 2:]
    torch.testing.assert_close(centres, batch.windows[:, :2], atol=1e-6, rtol=0)
    assert centres.abs().max() > 0.02
