"""Training the Transformer alone, and the loss that keeps corrections at unit length."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smpler_model.checkpoints.files import save_checkpoint
from tests.calibrated import calibrate_norms
from training.data.crop_files import CropFiles
from training.learning.learner import Learner
from training.learning.objectives import CropObjective, compare_lengths, kept_corrections
from training.learning.processes import Processes
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


def learner_of(settings: TrainSettings) -> Learner[object]:
    objective = CropObjective(build_starting_model(settings), settings)
    return Learner(settings, objective, Processes(), settings.steps)


@pytest.fixture
def refining(settings: TrainSettings, tmp_path: Path) -> TrainSettings:
    model = build_starting_model(settings)
    side = model.config.image_size
    calibrate_norms(model.backbone, torch.randn(4, 3, side, side))
    save_checkpoint(model, tmp_path / "before.pt")
    return replace(
        settings,
        initial=tmp_path / "before.pt",
        refine_only=True,
        dense_share=0.0,
        first_guess_share=0.0,
        dense_weight=0.0,
    )


def test_only_the_transformer_is_trained(refining: TrainSettings, crops: CropFiles) -> None:
    learner = learner_of(refining)
    before = {name: values.clone() for name, values in learner.model.state_dict().items()}
    numbers = [learner.step([crops.batch(torch.arange(4))]) for _ in range(3)]
    changed = {
        name
        for name, values in learner.model.state_dict().items()
        if (values != before[name]).any()
    }
    assert changed
    assert all(name.startswith(("embedding.", "blocks.")) for name in changed)
    assert numbers[-1]["total"] < numbers[0]["total"]
    assert numbers[0]["dense"] == 0


def test_refine_only_needs_its_conditions(refining: TrainSettings) -> None:
    for change in ({"initial": None}, {"first_guess_share": 0.5}, {"dense_weight": 1.0}):
        with pytest.raises(ValueError, match="refine_only needs stage smpler, an initial"):
            replace(refining, **change)


def test_correction_lengths_are_limited(refining: TrainSettings, crops: CropFiles) -> None:
    learner = learner_of(replace(refining, length_weight=10.0, learning_rate=3e-3, steps=100))
    with torch.no_grad():
        for block in learner.model.blocks:
            block.rotation_delta.bias.mul_(3)
    batch = crops.batch(torch.arange(4))
    lengths = [learner.step([batch])["length"] for _ in range(30)]
    assert lengths[0] == pytest.approx(10 * (3 - 1) ** 2, rel=0.05)
    assert lengths[-1] < 0.2 * lengths[0]


def test_unit_columns_have_zero_loss_and_hooks_are_removed(settings: TrainSettings) -> None:
    unit = torch.tensor([1.0, 0, 0, 1, 0, 0]).expand(2, 24, 6)
    assert compare_lengths([unit]) == 0
    assert compare_lengths([unit, 3 * unit]) == 2
    model = build_starting_model(settings)
    side = model.config.image_size
    with kept_corrections(model) as kept:
        model(torch.zeros(1, 3, side, side))
    assert [six.shape for six in kept] == [(1, 24, 6)] * len(model.blocks)
    assert not any(block.rotation_delta._forward_hooks for block in model.blocks)
