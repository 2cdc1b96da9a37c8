"""Augmented photos keep their labels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.skeleton import H36M_JOINTS, SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.cameras.crops import CROP_MARGIN
from tests.training.data.made_up_photos import SIDE, prepare_photos
from training.data.data_settings import PhotoAugmentation
from training.data.photo_files import (
    BODY_ROWS,
    PHOTO_JOINTS,
    STORED_MARGIN,
    PhotoFiles,
    Photos,
    Windows,
    cut,
    mirror,
    split_paths,
)

STILL = PhotoAugmentation(**dict.fromkeys(PhotoAugmentation.__annotations__, 0.0))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> PhotoFiles:
    return PhotoFiles(prepare_photos(tmp_path_factory.mktemp("photos")), "train")


def spot_of(images: torch.Tensor) -> torch.Tensor:
    """Return the centre (b, 2) of the bright part of images (b, 3, s, s), [-1, 1]."""
    weights = images.mean(1)
    places = (2 * torch.arange(images.shape[-1]) + 1) / images.shape[-1] - 1
    total = weights.sum((1, 2))
    across, down = ((weights.sum(axis) * places).sum(1) / total for axis in (1, 2))
    return torch.stack((across, down), 1)


def photo_with_spot(x: float, y: float) -> Photos:
    """A dark photo with a spot where every joint is labelled, 1 m away from the hips."""
    places = (2 * torch.arange(96) + 1) / 96 - 1
    distances = (places - x).square() + (places - y).square()[:, None]
    images = 255 * torch.exp(-distances / 0.01).expand(1, 3, 96, 96)
    k = len(PHOTO_JOINTS)
    keypoints = torch.tensor([x, y, 1.0]).expand(1, k, 3)
    return Photos(images, keypoints, torch.tensor([x, y, 0.5, 1.0]).expand(1, k, 4))


@given(
    st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-3, 3), st.floats(0.7, 1), st.booleans()
)
def test_labels_follow_the_image(
    x: float, y: float, angle: float, half: float, mirrored: bool
) -> None:
    turn = torch.tensor(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float32
    )
    windows = Windows(torch.tensor([[0.1, -0.05]]), torch.tensor([half]), turn[None])
    found = cut(photo_with_spot(x, y), 96, windows)
    if mirrored:
        found = mirror(found)
    torch.testing.assert_close(spot_of(found.images), found.keypoints[:, 0, :2], atol=0.02, rtol=0)
    # In space nothing moves or grows; it rotates with the image.
    origin = mirror(cut(photo_with_spot(0, 0), 96, windows)) if mirrored else None
    origin = origin or cut(photo_with_spot(0, 0), 96, windows)
    pictured = (found.keypoints - origin.keypoints)[:, 0, :2] * half
    torch.testing.assert_close(found.joints[:, 0, :2], pictured, atol=1e-5, rtol=0)
    assert (found.joints[:, 0, 2:] == torch.tensor([0.5, 1.0])).all()


def test_mirroring_swaps_left_and_right() -> None:
    photo = photo_with_spot(0, 0)
    keypoints = photo.keypoints.clone()
    left, right = PHOTO_JOINTS.index("left_wrist"), PHOTO_JOINTS.index("right_wrist")
    keypoints[0, left, 0] = 0.4
    mirrored = mirror(Photos(photo.images, keypoints, photo.joints))
    assert mirrored.keypoints[0, right, 0] == -0.4
    assert mirrored.keypoints[0, left, 0] == 0
    twice = mirror(mirrored)
    torch.testing.assert_close(twice.keypoints, keypoints)


def test_unchanged_crops_equal_the_pipeline_s(files: PhotoFiles) -> None:
    rows = torch.arange(3)
    plain = files.batch(rows, SIDE)
    assert plain.images.shape == (3, 3, SIDE, SIDE)
    grown = torch.from_numpy(files.stored.keypoints[:3, :, :2]) * (STORED_MARGIN / CROP_MARGIN)
    torch.testing.assert_close(plain.keypoints[..., :2], grown)
    generator = torch.Generator().manual_seed(0)
    changed = files.changed(rows, SIDE, STILL, generator)
    torch.testing.assert_close(changed.images, plain.images)
    torch.testing.assert_close(changed.joints, plain.joints)


def test_changes_depend_only_on_the_generator(files: PhotoFiles) -> None:
    rows, usual = torch.arange(4), PhotoAugmentation()
    first, again, other = (
        files.changed(rows, SIDE, usual, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.keypoints, again.keypoints)
    assert not torch.equal(first.keypoints, other.keypoints)
    assert first.images.min() >= 0
    assert first.images.max() <= 255


def test_people_without_joints_in_space_are_marked(files: PhotoFiles) -> None:
    photos = files.batch(torch.arange(len(files)), SIDE)
    assert torch.equal(photos.has_joints, (photos.joints[..., 3] > 0).any(1).float())
    assert 0 < photos.has_joints.sum() < len(photos)


def test_body_rows_have_the_named_joints() -> None:
    body = Body(load_builtin_body())
    mesh = body.mesh(torch.eye(3).expand(1, 24, 3, 3), torch.zeros(1, 10))
    joints = torch.cat((mesh.joints, body.h36m_joints(mesh.vertices)), 1)[0, list(BODY_ROWS)]
    names = (*SMPL_JOINTS, *H36M_JOINTS)
    assert [names[row] for row in BODY_ROWS[:12]] == list(PHOTO_JOINTS[:12])
    # The top of the head is as high as the body, within 3 mm; the nose is in front of the neck.
    top = mesh.vertices[0, :, 1].max()
    assert abs(joints[PHOTO_JOINTS.index("top_of_head"), 1] - top) < 0.005
    nose, neck = (joints[PHOTO_JOINTS.index(name)] for name in ("nose", "neck"))
    assert nose[2] - neck[2] > 0.1
    assert nose[1] > neck[1]


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="photos must have been prepared"):
        PhotoFiles(tmp_path, "train")


def test_inconsistent_photo_files_are_refused(tmp_path: Path) -> None:
    folder = prepare_photos(tmp_path)
    np.save(split_paths(folder, "train")[0], np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"must have keypoints \(2, 19, 3\)"):
        PhotoFiles(folder, "train")
