"""Augmentation keeps images and labels consistent."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.body.skeleton import LABELLED_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.network.geometry import rotation_from_axis_angle
from training.data.augmentation import (
    MIRRORED_LABELS,
    NO_CHANGE,
    Change,
    Window,
    change_image,
    change_joints,
    change_keypoints,
    change_pose,
    draw_change,
    turn_matrix,
)
from training.data.data_settings import Augmentation

SIDE = 224


def test_mirroring_moves_labels_to_the_other_side() -> None:
    for name, row in zip(LABELLED_JOINTS, MIRRORED_LABELS, strict=True):
        other = LABELLED_JOINTS[row]
        swapped = name.replace("left", "?").replace("right", "left").replace("?", "right")
        assert other == swapped


@pytest.mark.parametrize("rotation", [0.0, 25.0, -60.0])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scale", [0.8, 1.6])
def test_keypoints_follow_the_image(rotation: float, flip: bool, scale: float) -> None:
    """A spot at a labelled joint appears where the augmented label is."""
    place = np.array([170.0, 110.0])
    image = np.zeros((260, 300, 3), np.uint8)
    cv2.circle(image, (170, 110), 4, (255, 255, 255), -1)
    window = Window((150.0, 130.0), scale, SIDE, rotation)
    change = Change(flip=flip, rotation_deg=rotation)
    crop = change_image(window.cut(image), change)
    weight = crop[..., 0] / crop[..., 0].sum()
    rows, columns = np.mgrid[:SIDE, :SIDE]
    seen = 2 * (np.array([(columns * weight).sum(), (rows * weight).sum()]) + 0.5) / SIDE - 1
    points = np.ones((24, 3))
    points[:, :2] = window.crop_from_image(np.tile(place, (24, 1)))
    found = change_keypoints(points, change)[0, :2]
    assert np.abs(found - seen).max() < 2.5 * 2 / SIDE  # whole pixels


def test_crops_may_exceed_the_image() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    for centre in ((0.0, 0.0), (100.0, 100.0), (500.0, 500.0)):
        crop = Window(centre, 0.5, 64).cut(image)
        share = (crop > 100).mean()
        assert share == pytest.approx(0.25 if max(centre) <= 100 else 0.0, abs=0.02)


@given(st.floats(-60, 60), st.booleans(), st.integers(0, 50))
def test_pose_and_joints_are_augmented_alike(rotation: float, flip: bool, seed: int) -> None:
    """Augmenting the pose moves the pelvis's children like augmenting the labelled joints."""
    rng = np.random.default_rng(seed)
    pose, change = rng.normal(0, 0.6, 72), Change(flip=flip, rotation_deg=rotation)
    mirror = np.diag([-1.0 if flip else 1.0, 1.0, 1.0])
    turned = turn_matrix(rotation)
    matrices, changed = (
        rotation_from_axis_angle(torch.from_numpy(p.reshape(24, 3))).numpy()
        for p in (pose, change_pose(pose, change))
    )
    expected = mirror @ turned @ matrices[0] @ mirror
    np.testing.assert_allclose(changed[0], expected, atol=1e-6)
    joints = np.column_stack((rng.normal(size=(24, 3)), np.ones(24)))
    pelvis = LABELLED_JOINTS.index("pelvis")
    moved = change_joints(joints, change)[pelvis, :3]
    np.testing.assert_allclose(moved, mirror @ turned @ joints[pelvis, :3], atol=1e-9)


def test_mirrored_pose_is_the_mirrored_body(body: Body) -> None:
    pose = np.random.default_rng(0).normal(0, 0.4, 72)
    betas = torch.zeros(1, 10)
    joints, mirrored = (
        body.joints(rotation_from_axis_angle(torch.tensor(p).float().reshape(1, 24, 3)), betas)[0]
        for p in (pose, change_pose(pose, Change(flip=True)))
    )
    across = joints[list(range(24))] * torch.tensor([-1.0, 1.0, 1.0])
    left, right = 1, 2  # hips
    apart = across[right] - across[0]
    torch.testing.assert_close(mirrored[left] - mirrored[0], apart, atol=5e-3, rtol=0)


def test_changes_keep_their_limits() -> None:
    rng = np.random.default_rng(0)
    settings = Augmentation()
    drawn = [draw_change(settings, rng) for _ in range(4000)]
    turned = [change.rotation_deg for change in drawn if change.rotation_deg]
    assert np.mean([change.flip for change in drawn]) == pytest.approx(0.5, abs=0.03)
    assert len(turned) / len(drawn) == pytest.approx(0.4, abs=0.03)
    assert np.abs(turned).max() <= 60
    assert np.std(turned) == pytest.approx(28.5, abs=2)  # 30, clipped
    scales = np.array([change.scale for change in drawn])
    assert scales.min() == 0.75
    assert scales.max() == 1.25
    gains = np.array([change.gains for change in drawn])
    assert 0.6 <= gains.min() < 0.61
    assert 1.39 < gains.max() <= 1.4


def test_the_identity_changes_nothing() -> None:
    still = Augmentation(flip=0, colour=0, rotation_share=0, scale=0)
    drawn = draw_change(still, np.random.default_rng(0))
    assert replace(drawn, rotation_deg=0.0) == NO_CHANGE
