"""The losses of keypoints: least where the maps say where the labels are."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.network.keypoint_feedback import FIRST_LIMB
from smpler_model.network.limbs import LIMB_ROWS
from smpler_model.network.mobile_backbone import KeypointMaps, KeypointReader
from tests.training.data.made_up_photos import prepare_photos
from training.data.crop_files import CropFiles
from training.data.mixed import Mixed
from training.data.photo_files import PHOTO_JOINTS, PhotoFiles
from training.learning.keypoint_objective import compare_keypoints, label_keypoints

SIDE = 40
NAMES = [SMPL_JOINTS[row] for row in LIMB_ROWS]


def draw_maps(places: Tensor) -> tuple[KeypointMaps, Tensor]:
    """Return the limbs' maps of one person with keypoints at places (12, 2), and what is read."""
    steps = torch.arange(SIDE, dtype=torch.float32)
    pixels = torch.stack(torch.meshgrid(steps, steps, indexing="ij"))  # (2, s, s) y, x
    exact = ((places + 1) * SIDE / 2).flip(-1)[..., None, None]
    to_keypoint = (exact - pixels)[None]  # (1, 12, 2, s, s)
    at = (pixels - exact.round().clamp(0, SIDE - 1)).square().sum(1)[None]
    heat = 8 - 4 * at.clamp(max=5)
    centre = -((pixels - (SIDE - 1) / 2).square().sum(0)[None, None])
    faces = torch.zeros(1, 2 * FIRST_LIMB, SIDE, SIDE)
    flat = torch.cat((faces, to_keypoint.flatten(1, 2)), 1)
    read = KeypointReader()(torch.cat((faces[:, ::2], heat), 1), centre, flat, flat)
    return KeypointMaps(heat, centre, to_keypoint, to_keypoint), read[:, FIRST_LIMB:]


@given(st.integers(0, 10_000))
def test_maps_of_the_labels_have_the_least_loss(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    places = 1.8 * torch.rand(12, 2, generator=generator) - 0.9
    labels = torch.cat((places, torch.ones(12, 1)), 1)[None]
    maps, read = draw_maps(places)
    right = compare_keypoints(maps, read, labels)
    assert right["offsets"] < 1e-4
    assert right["reach"] < 1e-4
    assert right["read"] < 0.01
    wrong = compare_keypoints(*draw_maps(-places.clamp(min=0.2)), labels)
    assert all(wrong[name] > right[name] + 0.01 for name in right)


def test_keypoints_without_confidence_do_not_count() -> None:
    places = torch.linspace(-0.8, 0.8, 24).reshape(12, 2)
    maps, read = draw_maps(places)
    labels = torch.cat((-places, torch.zeros(12, 1)), 1)[None]
    assert all(loss == 0 for loss in compare_keypoints(maps, read, labels).values())


def test_keypoints_outside_the_crop_have_no_peak() -> None:
    places = torch.linspace(-0.8, 0.8, 24).reshape(12, 2)
    maps, read = draw_maps(places)
    labels = torch.cat((places + 2, torch.ones(12, 1)), 1)[None]
    losses = compare_keypoints(maps, read, labels)
    assert losses["peaks"] == losses["offsets"] == 0
    assert losses["reach"] == pytest.approx(SIDE, rel=1e-4)  # 2 half sides in both directions
    assert losses["read"] == pytest.approx(0.3)  # as gross as any


def test_crops_and_photos_have_the_same_joints(crops: CropFiles, tmp_path: Path) -> None:
    photos = PhotoFiles(prepare_photos(tmp_path), "train").batch(torch.arange(2), 64)
    drawn = crops.batch(torch.arange(3))
    labels = label_keypoints(Mixed((drawn, photos)))
    assert labels.shape == (5, 12, 3)
    for column, name in enumerate(NAMES):
        assert torch.equal(labels[3:, column], photos.keypoints[:, PHOTO_JOINTS.index(name)])
        if "hip" not in name:
            joint = drawn.keypoints[:, SMPL_JOINTS.index(name)]
            assert torch.equal(labels[:3, column, :2], joint)
            assert torch.equal(labels[:3, column, 2] > 0, (joint.abs() < 1).all(-1))


def test_hips_of_crops_are_as_far_apart_as_people_label_them(crops: CropFiles) -> None:
    drawn = crops.batch(torch.arange(3))
    rows = [NAMES.index("left_hip"), NAMES.index("right_hip")]
    hips = label_keypoints(drawn)[:, rows, :2]
    joints = drawn.keypoints[:, [SMPL_JOINTS.index(NAMES[row]) for row in rows]]
    torch.testing.assert_close(hips.mean(1), joints.mean(1))
    torch.testing.assert_close(hips.diff(dim=1), 1.4 * joints.diff(dim=1))
