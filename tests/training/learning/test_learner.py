"""When weights are trained, and at which learning rate."""

import itertools
from dataclasses import replace

import pytest
import torch

from training.data.crop_files import CropFiles
from training.learning.learner import Learner, make_optimiser
from training.learning.objectives import CropObjective
from training.learning.processes import Processes
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


def test_the_backbone_is_frozen_for_its_share(settings: TrainSettings, crops: CropFiles) -> None:
    given = replace(settings, still_share=0.5, first_guess_share=0.0, steps=4)
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


def test_early_layers_are_frozen(settings: TrainSettings, crops: CropFiles) -> None:
    given = replace(
        settings,
        still_groups=2,
        still_share=0.25,
        steps=4,
        first_guess_share=0.0,
    )
    learner = Learner(given, CropObjective(build_starting_model(given), given), Processes(), 4)
    before = {name: w.detach().clone() for name, w in learner.model.backbone.named_parameters()}
    for _ in range(given.steps):
        learner.step([crops.batch(torch.arange(2))])
    after = dict(learner.model.backbone.named_parameters())
    moved = {name for name, weights in before.items() if not torch.equal(weights, after[name])}
    assert not [name for name in moved if name.startswith(("stem.", "groups.0.", "groups.1."))]
    assert {"groups.2.0.expand.weight", "last.weight"} <= moved


def test_another_backbone_has_no_groups_to_freeze(settings: TrainSettings) -> None:
    given = replace(settings, still_groups=8)
    with pytest.raises(ValueError, match="still_groups must be 0, or up to 7 with a mobile"):
        Learner(given, CropObjective(build_starting_model(given), given), Processes(), 4)


def test_correcting_layers_have_their_own_rate(settings: TrainSettings) -> None:
    given = replace(
        settings,
        learning_rate=1e-3,
        head_learning_rate=4e-4,
        correction_rate=0.1,
    )
    named = list(CropObjective(build_starting_model(given), given).named_parameters())
    groups = make_optimiser(given, named).param_groups
    peaks = {id(weights): group["peak"] for group in groups for weights in group["params"]}
    assert len(peaks) == len(named)
    for name, weights in named:
        if "_delta." in name:
            assert peaks[id(weights)] == pytest.approx(4e-5), name
        elif name.startswith(("model.blocks.", "model.regressor.", "model.embedding.")):
            assert peaks[id(weights)] == pytest.approx(4e-4), name


def test_relative_rates_suit_weights_of_every_size(settings: TrainSettings) -> None:
    given = replace(
        settings,
        learning_rate=2e-3,
        head_learning_rate=4e-4,
        relative_rates=True,
        weight_decay=0.0,
    )
    objective = CropObjective(build_starting_model(given), given)
    with torch.no_grad():
        objective.model.backbone.top.weight.mul_(1e-3)
    named = list(objective.named_parameters())
    optimiser = make_optimiser(given, named)
    for group in optimiser.param_groups:
        group["lr"] = group["peak"]
    before = {name: weights.detach().clone() for name, weights in named}
    for _, weights in named:
        weights.grad = torch.ones_like(weights)
    optimiser.step()
    for name, weights in named:
        moved = (weights.detach() - before[name]).abs().max()
        size = before[name].square().mean().sqrt().clamp(min=1e-3)
        if name.startswith("model.backbone."):
            torch.testing.assert_close(moved, 2e-3 * size, rtol=1e-3, atol=1e-8, msg=name)
        elif "_delta." not in name and not name.startswith("model.backbone."):
            assert moved == pytest.approx(4e-4, rel=1e-3), name
