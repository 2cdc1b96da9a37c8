"""When weights are trained, and at which learning rate."""

import itertools
from dataclasses import replace

import pytest
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.network.config import SMPLER_NANO, MobileLayout
from smpler_model.network.initialisation import build_backbone_model, build_model
from tests.small_hrnet import SMALL_HRNET
from training.data.crop_files import CropFiles
from training.learning.learner import Learner
from training.learning.mixed_objective import make_objective
from training.learning.objectives import CropObjective
from training.learning.processes import Processes
from training.learning.starting_models import build_starting_model
from training.learning.trained_weights import Trained, hold_others, keep_still
from training.settings import TrainSettings


@pytest.mark.slow
def test_the_backbone_is_frozen_for_its_share(settings: TrainSettings, crops: CropFiles) -> None:
    given = replace(settings, still_share=0.5, steps=4)
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


def test_only_the_pose_branch_moves_where_keypoints_are_still(
    settings: TrainSettings, crops: CropFiles
) -> None:
    given = replace(
        settings,
        trained="pose",
        still_share=0.25,
        steps=4,
    )
    learner = Learner(given, CropObjective(build_starting_model(given), given), Processes(), 4)
    before = {name: w.detach().clone() for name, w in learner.model.backbone.named_parameters()}
    for _ in range(given.steps):
        learner.step([crops.batch(torch.arange(2))])
    after = dict(learner.model.backbone.named_parameters())
    moved = {name for name, weights in before.items() if not torch.equal(weights, after[name])}
    assert {"branch.groups.0.0.expand.weight", "branch.last.weight"} <= moved
    assert all(name.startswith("branch.") for name in moved)


ALONE: dict[Trained, tuple[str, ...]] = {
    "keypoints": (
        *(f"backbone.groups.{number}." for number in range(3, 7)),
        *(f"backbone.{part}." for part in ("last", "top", "laterals", "merges")),
        *(f"backbone.{part}." for part in ("heat", "centre", "reach", "offset")),
    ),
    "transformer": ("embedding.", "blocks.0.", "blocks.1.", "trunk_alignment.", "limb_alignment."),
    "alignment": ("trunk_alignment.", "limb_alignment."),
}


@pytest.mark.parametrize("trained", list(ALONE))
def test_parts_can_be_trained_alone(
    settings: TrainSettings, crops: CropFiles, trained: Trained
) -> None:
    given = replace(settings, trained=trained, steps=2)
    objective = make_objective(build_starting_model(given), given, given.data)
    learner = Learner(given, objective, Processes(), 2)
    before = {name: w.detach().clone() for name, w in learner.model.named_parameters()}
    learner.step([crops.batch(torch.arange(2))])
    after = dict(learner.model.named_parameters())
    moved = [name for name, weights in before.items() if not torch.equal(weights, after[name])]
    assert all(name.startswith(ALONE[trained]) for name in moved)
    assert all(any(name.startswith(part) for name in moved) for part in ALONE[trained])


def test_what_is_trained_alone_must_be_there(body_arrays: BodyArrays) -> None:
    config = replace(SMPLER_NANO, limb_alignment=False, trunk_alignment=False)
    with pytest.raises(ValueError, match="alignment` needs a model that aligns its estimate"):
        hold_others(build_model(config, body_arrays), "alignment")
    with pytest.raises(ValueError, match="needs a model with a Transformer, got one of the back"):
        hold_others(build_backbone_model(SMPLER_NANO, body_arrays), "transformer")
    with pytest.raises(ValueError, match=r"needs still_share to be 0, .* got 0\.1;"):
        TrainSettings(trained="alignment", still_share=0.1)


def test_what_stays_computes_as_in_evaluation(body_arrays: BodyArrays) -> None:
    model = build_model(SMALL_HRNET, body_arrays).train()
    keep_still(model, "all")
    assert all(part.training for part in model.modules())
    keep_still(model, "transformer")
    still = {*model.backbone.modules(), *model.regressor.modules()}
    assert {part for part in model.modules() if not part.training} == still


@pytest.mark.parametrize("trained", ["pose", "keypoints"])
def test_without_a_pose_branch_pose_and_keypoints_are_not_trained_alone(
    body_arrays: BodyArrays, trained: Trained
) -> None:
    layout = MobileLayout()
    config = replace(SMPLER_NANO, backbone=layout, channels=layout.channels)
    with pytest.raises(ValueError, match=f"{trained}` needs a backbone with a pose branch"):
        hold_others(build_model(config, body_arrays), trained)
