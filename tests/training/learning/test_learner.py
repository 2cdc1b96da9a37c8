"""What learns when, and at which rate."""

import itertools
from dataclasses import replace

import pytest
import torch

from training.data.crop_files import CropFiles
from training.learning.learner import Learner, make_optimisers
from training.learning.objectives import CropObjective
from training.learning.processes import Processes
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


def test_the_backbone_stays_as_it_is_for_its_share(
    settings: TrainSettings, crops: CropFiles
) -> None:
    given = replace(settings, still_share=0.5, first_guess_share=0.0, dense_share=0.0, steps=4)
    learner = Learner(given, CropObjective(build_starting_model(given), given), Processes(), 4)
    batch = crops.batch(torch.arange(2))

    def weights() -> tuple[torch.Tensor, torch.Tensor]:
        backbone, guess = next(learner.model.backbone.parameters()), learner.model.regressor
        return backbone.detach().clone(), guess.pose_delta.bias.detach().clone()

    seen = [weights()]
    for _ in range(given.steps):
        learner.step([batch])
        seen.append(weights())
    moved = [
        tuple(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
        for before, after in itertools.pairwise(seen)
    ]
    assert moved == [(False, True), (False, True), (True, True), (True, True)]


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_layers_that_change_an_estimate_have_their_own_rate(
    settings: TrainSettings, optimiser: str
) -> None:
    given = replace(
        settings,
        optimiser=optimiser,  # type: ignore[arg-type]
        learning_rate=1e-3,
        head_learning_rate=4e-4,
        correction_rate=0.1,
    )
    named = list(CropObjective(build_starting_model(given), given).named_parameters())
    groups = [group for o in make_optimisers(given, named) for group in o.param_groups]
    peaks = {id(weights): group["peak"] for group in groups for weights in group["params"]}
    assert len(peaks) == len(named)
    for name, weights in named:
        if "_delta." in name:
            assert peaks[id(weights)] == pytest.approx(4e-5), name
        elif name.startswith(("model.blocks.", "model.regressor.", "model.embedding.")):
            assert peaks[id(weights)] == pytest.approx(4e-4), name
