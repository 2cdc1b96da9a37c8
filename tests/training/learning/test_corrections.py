"""What keeps the blocks' corrections of rotations at unit length."""

from dataclasses import replace

import pytest
import torch

from training.data.crop_files import CropFiles
from training.learning.learner import Learner
from training.learning.objectives import CropObjective, compare_lengths, kept_corrections
from training.learning.processes import Processes
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


@pytest.mark.slow
def test_lengths_are_held(settings: TrainSettings, crops: CropFiles) -> None:
    given = replace(settings, length_weight=10.0, still_share=1.0, steps=100)
    given = replace(given, head_learning_rate=3e-6, correction_rate=100.0)
    objective = CropObjective(build_starting_model(given), given)
    learner = Learner(given, objective, Processes(), given.steps)
    with torch.no_grad():
        for block in learner.model.blocks:
            block.rotation_delta.bias.mul_(3)
    batch = crops.batch(torch.arange(2))
    lengths = [learner.step([batch])["length"] for _ in range(20)]
    assert lengths[0] == pytest.approx(10 * (3 - 1) ** 2, rel=0.05)
    assert lengths[-1] < 0.2 * lengths[0]


def test_unit_columns_cost_nothing_and_hooks_go(settings: TrainSettings) -> None:
    unit = torch.tensor([1.0, 0, 0, 1, 0, 0]).expand(2, 24, 6)
    assert compare_lengths([unit]) == 0
    assert compare_lengths([unit, 3 * unit]) == 2
    model = build_starting_model(settings)
    side = model.config.image_size
    with kept_corrections(model) as kept:
        model(torch.zeros(1, 3, side, side))
    assert [six.shape for six in kept] == [(1, 24, 6)] * len(model.blocks)
    assert not any(block.rotation_delta._forward_hooks for block in model.blocks)
