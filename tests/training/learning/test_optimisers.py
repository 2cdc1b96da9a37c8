"""Which weights an optimiser takes, and how far it moves them."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from training.learning.muon import Muon
from training.learning.optimisers import make_optimisers
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_correcting_layers_have_their_own_rate(
    settings: TrainSettings, optimiser: Literal["adamw", "muon"]
) -> None:
    given = replace(
        settings,
        optimiser=optimiser,
        learning_rate=1e-3,
        head_learning_rate=4e-4,
        correction_rate=0.1,
    )
    model = build_starting_model(given)
    named = list(model.named_parameters())
    groups = [group for each in make_optimisers(given, model) for group in each.param_groups]
    peaks = {id(weights): group["peak"] for group in groups for weights in group["params"]}
    assert len(peaks) == len(named)
    for name, weights in named:
        if "_delta." in name:
            assert peaks[id(weights)] == pytest.approx(4e-5), name
        elif name.startswith(("blocks.", "regressor.", "embedding.")):
            assert peaks[id(weights)] == pytest.approx(4e-4), name


def test_relative_rates_suit_weights_of_every_size(settings: TrainSettings) -> None:
    given = replace(
        settings,
        learning_rate=2e-3,
        head_learning_rate=4e-4,
        relative_rates=True,
        weight_decay=0.0,
    )
    model = build_starting_model(given)
    with torch.no_grad():
        model.backbone.top.weight.mul_(1e-3)
    named = list(model.named_parameters())
    [optimiser] = make_optimisers(given, model)
    for group in optimiser.param_groups:
        group["lr"] = group["peak"]
    before = {name: weights.detach().clone() for name, weights in named}
    for _, weights in named:
        weights.grad = torch.ones_like(weights)
    optimiser.step()
    for name, weights in named:
        moved = (weights.detach() - before[name]).abs().max()
        size = before[name].square().mean().sqrt().clamp(min=1e-3)
        if name.startswith("backbone."):
            torch.testing.assert_close(moved, 2e-3 * size, rtol=1e-3, atol=1e-8, msg=name)
        elif "_delta." not in name and not name.startswith("backbone."):
            assert moved == pytest.approx(4e-4, rel=1e-3), name


def test_muon_moves_matrices_as_far_as_adamw_moves_them(settings: TrainSettings) -> None:
    given = replace(settings, optimiser="muon", learning_rate=1e-3, weight_decay=0.0)
    model = build_starting_model(given)
    adamw, muon = make_optimisers(given, model)
    assert isinstance(muon, Muon)
    taken = {id(weights) for group in muon.param_groups for weights in group["params"]}
    names = {name for name, weights in model.named_parameters() if id(weights) in taken}
    assert {"regressor.hidden.0.weight", "backbone.top.weight"} <= names
    others = {name for name, _ in model.named_parameters()} - names
    assert {"blocks.0.query_positions", "regressor.hidden.0.bias"} <= others
    assert any(name.endswith("depthwise.weight") for name in others)
    generator = torch.Generator().manual_seed(0)
    before = {}
    for name, weights in model.named_parameters():
        before[name] = weights.detach().clone()
        weights.grad = torch.randn(weights.shape, generator=generator)
    for optimiser in (adamw, muon):
        for group in optimiser.param_groups:
            group["lr"] = group["peak"]
        optimiser.step()
    for name, weights in model.named_parameters():
        moved = float((weights.detach() - before[name]).square().mean().sqrt())
        size = 0.2 if name in names else 1.0  # Adam's first step moves every weight by the rate
        assert moved == pytest.approx(1e-3 * size, rel=0.35), name
