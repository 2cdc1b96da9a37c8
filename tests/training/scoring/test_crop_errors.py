"""Errors on crops, of a network's final estimate and of those before it."""

import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.estimates import Estimate
from smpler_model.network.geometry import turn_pelvis
from tests.calibrated import calibrated_model
from training.data.crop_files import Batch, CropFiles
from training.learning.objectives import normalise
from training.scoring.crop_errors import evaluate, evaluate_model, evaluate_stages


def test_each_estimate_is_compared_as_the_final_one_is(crops: CropFiles) -> None:
    model = calibrated_model(SMPLER_NANO, load_builtin_body()).train()
    errors = evaluate_stages(model, crops)
    assert model.training, "the mode is kept"
    assert list(errors) == ["first guess", "block 1", "block 2", "alignment"]
    assert errors["alignment"].means() == pytest.approx(
        evaluate_model(model, crops).means(), rel=1e-4
    )

    def guess(batch: Batch) -> Estimate:
        found = model(normalise(batch.images, model), mesh=False).stages[0]
        return Estimate(turn_pelvis(found.rotations, batch.turns), found.betas, found.camera)

    model.eval()
    expected = evaluate(guess, model.body, crops).means()
    assert errors["first guess"].means() == pytest.approx(expected, rel=1e-4)
    each = torch.stack([error.mpjpe for error in errors.values()])
    assert (each[1:] - each[:-1]).abs().amax(1).min() > 1e-3, "estimates differ"
