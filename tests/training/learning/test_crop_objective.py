"""Losses on rendered crops that have every label."""

from dataclasses import replace

import pytest
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.estimates import Stage
from smpler_model.network.geometry import project_weak_perspective, turn_pelvis
from smpler_model.network.initialisation import build_model
from training.data.crop_files import CropFiles
from training.learning.objectives import CropObjective
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


@pytest.fixture(scope="module")
def objective() -> CropObjective:
    settings = TrainSettings(autocast="none", shape_weight=60.0)
    return CropObjective(build_starting_model(settings), settings)


def loss_of(objective: CropObjective, crops: CropFiles, betas_off: float) -> float:
    batch = crops.batch(torch.arange(3))
    rotations = turn_pelvis(batch.rotations, batch.turns.mT)
    betas = batch.betas + betas_off
    camera = torch.tensor([[0.9, 0.0, 0.0]]).expand(3, 3)
    joints = objective.model.body.joints(rotations, betas)
    stage = Stage(rotations, betas, camera, joints, project_weak_perspective(joints, camera))
    return float(objective.compare([stage], batch, objective.count(batch)).loss)


def test_a_body_of_the_wrong_size_costs_more(objective: CropObjective, crops: CropFiles) -> None:
    body = objective.model.body
    settings = replace(objective.settings, shape_weight=0.0)
    without = CropObjective(objective.model, settings)
    assert loss_of(objective, crops, 0) == pytest.approx(loss_of(without, crops, 0))
    unposed = torch.eye(3).expand(1, 24, 3, 3)
    far = body.joints(unposed, torch.ones(1, 10)) - body.joints(unposed, torch.zeros(1, 10))
    added = loss_of(objective, crops, 1) - loss_of(without, crops, 1)
    assert added == pytest.approx(60 * far.norm(dim=-1).mean().item(), rel=1e-3)


def test_the_last_block_may_count_before_its_estimate_is_aligned(
    objective: CropObjective, crops: CropFiles
) -> None:
    images = crops.batch(torch.arange(2)).images
    settings = replace(objective.settings, unaligned=True)
    with torch.no_grad():
        usual = objective.estimate(images)
        more = CropObjective(objective.model, settings).estimate(images)
    assert len(more) == len(usual) + 1
    for stage, same in zip(usual, [*more[:-2], more[-1]], strict=True):
        torch.testing.assert_close(stage.rotations, same.rotations)
    assert not torch.allclose(more[-2].rotations, more[-1].rotations)


def test_without_alignment_there_is_no_estimate_before_it(body_arrays: BodyArrays) -> None:
    config = replace(SMPLER_NANO, limb_alignment=False, trunk_alignment=False)
    with pytest.raises(ValueError, match="unaligned needs a model that aligns its estimate"):
        CropObjective(build_model(config, body_arrays), TrainSettings(unaligned=True))
