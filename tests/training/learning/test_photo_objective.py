"""Losses on photos: zero for the truth, limited for labels that cannot be right."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.network.estimates import Stage
from smpler_model.network.geometry import project_weak_perspective, rotation_from_axis_angle
from smpler_model.people.metrics import centre_on_hips
from tests.training.data.made_up_photos import SIDE
from training.data.data_settings import PhotoData
from training.data.photo_files import BODY_ROWS, PHOTO_HIPS, Photos
from training.learning.losses import Counts, LossWeights
from training.learning.photo_objective import PhotoObjective, square_robustly
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings

PEOPLE = 3
WEIGHTS = LossWeights(keypoints=10.0, joints=100.0, distances=1.0, keypoint_distances=2.0)


@pytest.fixture(scope="module")
def objective() -> PhotoObjective:
    settings = TrainSettings(data=PhotoData(), weights=WEIGHTS, autocast="none")
    return PhotoObjective(build_starting_model(settings), settings, PhotoData())


def true_stage() -> Stage:
    generator = torch.Generator().manual_seed(0)
    rotations = rotation_from_axis_angle(0.4 * torch.randn(PEOPLE, 24, 3, generator=generator))
    betas = torch.randn(PEOPLE, 10, generator=generator)
    camera = torch.tensor([[0.9, 0.1, -0.1]]).expand(PEOPLE, 3)
    joints = Body(load_builtin_body()).joints(rotations, betas)
    return Stage(rotations, betas, camera, joints, project_weak_perspective(joints, camera))


def labels_of(stage: Stage) -> Photos:
    """Photos labelled with the body of a stage."""
    body = Body(load_builtin_body())
    mesh = body.mesh(stage.rotations, stage.betas)
    every = torch.cat((mesh.joints, body.h36m_joints(mesh.vertices)), 1)
    joints = every[:, list(BODY_ROWS)]
    keypoints = project_weak_perspective(joints, stage.camera)
    sure = torch.ones(*joints.shape[:2], 1)
    return Photos(
        torch.zeros(PEOPLE, 3, SIDE, SIDE),
        torch.cat((keypoints, sure), 2),
        torch.cat((centre_on_hips(joints, PHOTO_HIPS), sure), 2),
    )


def terms_of(objective: PhotoObjective, photos: Photos) -> dict[str, float]:
    counts: Counts = objective.count(photos)
    found = objective.compare([true_stage()], photos, counts)
    return {name: float(value) for name, value in found.terms.items()}


def test_the_truth_has_zero_loss_on_photos(objective: PhotoObjective) -> None:
    terms = terms_of(objective, labels_of(true_stage()))
    assert set(terms) == {"keypoints", "joints", "distances", "keypoint_distances"}
    assert terms == pytest.approx(dict.fromkeys(terms, 0), abs=1e-4)


def test_unknown_joints_have_zero_loss(objective: PhotoObjective) -> None:
    photos = labels_of(true_stage())
    joints, keypoints = photos.joints.clone(), photos.keypoints.clone()
    joints[0], keypoints[1] = 0, 0
    joints[1:, 5:, :3] += 1.0
    joints[1:, 5:, 3] = 0
    terms = terms_of(objective, replace(photos, joints=joints, keypoints=keypoints))
    assert terms == pytest.approx(dict.fromkeys(terms, 0), abs=1e-4)


def test_a_shift_has_the_weighted_loss(objective: PhotoObjective) -> None:
    photos = labels_of(true_stage())
    joints, keypoints = photos.joints.clone(), photos.keypoints.clone()
    keypoints[..., 0] += 0.05
    joints[:, :1, 1] += 0.06  # the right ankle of 19 joints
    terms = terms_of(objective, replace(photos, joints=joints, keypoints=keypoints))
    assert terms["keypoints"] == pytest.approx(10 * 0.05**2 / 2, rel=1e-3)
    assert terms["joints"] == pytest.approx(100 * 0.06**2 / 3 / 19, rel=1e-3)
    assert terms["distances"] == pytest.approx(0.06 / 19, rel=1e-3)
    assert terms["keypoint_distances"] == pytest.approx(2 * 0.05, rel=1e-3)


def test_errors_in_space_are_averaged_over_labelled_people(objective: PhotoObjective) -> None:
    photos = labels_of(true_stage())
    joints = photos.joints.clone()
    joints[..., 1] += 0.0
    joints[0, 0, 1] += 0.06
    joints[1:] = 0
    terms = terms_of(objective, replace(photos, joints=joints))
    assert terms["distances"] == pytest.approx(0.06 / 19, rel=1e-3)


def test_far_labels_have_limited_gradients() -> None:
    distances = torch.tensor([0.1, 3.0], requires_grad=True)
    square_robustly(distances, 0.1).sum().backward()
    assert distances.grad is not None
    torch.testing.assert_close(distances.grad, torch.tensor([0.2, 0.2]))


@given(st.floats(0.01, 1.0))
def test_the_robust_square_is_continuous(scale: float) -> None:
    near, far = torch.tensor([scale * (1 - 1e-5), scale * (1 + 1e-5)], dtype=torch.float64)
    step = square_robustly(far, scale) - square_robustly(near, scale)
    assert 0 < step < 1e-4 * scale**2
