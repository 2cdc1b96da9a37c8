from dataclasses import replace

import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.geometry import turn_pelvis
from synthetic.crops import BACKGROUND
from synthetic.people.poses import draw_poses
from training.data.crop_files import Batch
from training.learning.dense import DenseHead, draw_spots, lay_out, number_frames, shrink
from training.learning.objectives import CropObjective, Phase, normalise
from training.learning.starting_models import build_starting_model
from training.learning.surface import SampledSurface
from training.settings import TrainSettings


def draw_batch(b: int, side: int) -> Batch:
    generator = torch.Generator().manual_seed(3)
    rotations, betas = draw_poses(b, generator), torch.randn(b, 10, generator=generator)
    cells = side // 4
    return Batch(
        255 * torch.rand(b, 3, side, side, generator=generator),
        torch.randint(BACKGROUND + 1, (b, cells, cells), generator=generator),
        torch.rand(b, 3, cells, cells, generator=generator),
        rotations,
        betas,
        2 * torch.rand(b, 38, 2, generator=generator) - 1,
        torch.tensor([0.2, -0.1, 0.5]).expand(b, 3),
    )


def test_frames_equal_the_joints_frames() -> None:
    body = Body(load_builtin_body())
    batch = draw_batch(2, 32)
    frames = SampledSurface(body).frames(batch.rotations, batch.betas)
    joints = body.joints(batch.rotations, batch.betas)
    numbers = number_frames(frames)
    assert numbers.shape == (2, 24, 9)
    assert torch.allclose(numbers[..., 6:] / 2, joints - joints[:, :1], atol=1e-5)
    assert torch.allclose(numbers[:, 0, :6], batch.rotations[:, 0, :, :2].flatten(1))


def test_each_pixel_has_its_own_parts_numbers() -> None:
    numbers = torch.rand(1, 24, 9)
    parts = torch.tensor([[[0, 5], [BACKGROUND, 23]]])
    laid = lay_out(numbers, parts)
    assert torch.equal(laid[0, :, 0, 1], numbers[0, 5])
    assert torch.equal(laid[0, :, 1, 1], numbers[0, 23])
    assert not laid[0, :, 1, 0].any()


def test_shrinking_to_the_same_size_changes_nothing() -> None:
    batch = draw_batch(2, 64)
    same = shrink(batch, 64)
    for found, wanted in zip(vars(same).values(), vars(batch).values(), strict=True):
        assert torch.allclose(found.float(), wanted.float(), atol=1e-3)


def test_shrinking_keeps_the_middle_of_every_cell() -> None:
    small = shrink(draw_batch(1, 96), 32)
    assert small.images.shape[-2:] == (32, 32)
    assert torch.equal(small.parts, draw_batch(1, 96).parts[:, 1::3, 1::3])
    assert torch.equal(small.coordinates, draw_batch(1, 96).coordinates[..., 1::3, 1::3])


@pytest.mark.parametrize("side", [32, 64])
def test_the_loss_reaches_every_scale(side: int) -> None:
    head = DenseHead((4, 8, 16, 32))
    features = [
        torch.rand(2, 4 << n, side // (4 << n), side // (4 << n), requires_grad=True)
        for n in range(4)
    ]
    frames = torch.eye(4).expand(2, 24, 4, 4)
    head(features, draw_batch(2, side), frames).backward()
    assert all(f.grad is not None and f.grad.abs().sum() > 0 for f in features)


def test_heat_maps_are_highest_at_the_joint() -> None:
    spots = draw_spots(torch.tensor([[[0.5, -0.5]]]), 24)
    row, column = divmod(int(spots.flatten().argmax()), 24)
    assert abs(column - 17.5) <= 0.5
    assert abs(row - 5.5) <= 0.5


def without_maps(settings: TrainSettings) -> TrainSettings:
    return replace(settings, dense_share=0.0, dense_weight=0.0, early_size=0)


def test_maps_without_weight_are_not_computed(settings: TrainSettings) -> None:
    objective = CropObjective(build_starting_model(settings).eval(), without_maps(settings))
    batch = draw_batch(2, SMPLER_NANO.image_size)
    found = objective(batch, objective.count(batch), "guess")
    found.loss.backward()
    assert found.terms["dense"] == 0
    assert all(weights.grad is None for weights in objective.dense.parameters())
    with pytest.raises(ValueError, match="dense_share must be 0 if dense_weight is, got 0"):
        replace(without_maps(settings), dense_share=0.1)


def test_frame_weight_penalises_rotations_in_the_camera_s_frame(
    body: Body, settings: TrainSettings
) -> None:
    model = build_starting_model(settings).eval()
    batch = draw_batch(2, SMPLER_NANO.image_size)
    plain = replace(without_maps(settings), frame_weight=0.0)
    with torch.no_grad():
        losses = []
        for chosen in (plain, replace(plain, frame_weight=10.0)):
            objective = CropObjective(model, chosen).eval()
            losses.append(objective(batch, objective.count(batch), "guess").loss)
        stage = model.guess(model.backbone(normalise(batch.images, model)))
        apart = turns_of(body, stage.rotations) - turns_of(
            body, turn_pelvis(batch.rotations, batch.turns.mT)
        )
    assert (losses[1] - losses[0]).item() == pytest.approx(
        10 * apart.abs().mean().item(), rel=1e-3
    )


def test_unrefined_crops_train_only_the_first_guess(settings: TrainSettings) -> None:
    model = build_starting_model(settings).eval()
    plain = replace(without_maps(settings), frame_weight=10.0)
    whole, part = (
        CropObjective(model, replace(plain, refined_crops=refined)).eval() for refined in (0, 2)
    )
    four = draw_batch(4, SMPLER_NANO.image_size)
    two = Batch(*(values[:2] for values in vars(four).values()))

    def loss_of(objective: CropObjective, batch: Batch, phase: Phase) -> torch.Tensor:
        with torch.no_grad():
            return objective(batch, objective.count(batch), phase).loss

    stages = 1 + len(model.blocks)
    refined = stages * loss_of(whole, two, "all") - loss_of(whole, two, "guess")
    wanted = (loss_of(whole, four, "guess") + refined) / stages
    torch.testing.assert_close(loss_of(part, four, "all"), wanted, rtol=1e-4, atol=0)


def test_crops_without_maps_do_not_change_the_maps_loss(settings: TrainSettings) -> None:
    model = build_starting_model(settings).eval()
    chosen = replace(settings, dense_crops=2, early_size=0)
    objective = CropObjective(model, chosen).eval()
    four = draw_batch(4, SMPLER_NANO.image_size)
    two = Batch(*(values[:2] for values in vars(four).values()))
    with torch.no_grad():
        losses = [objective(b, objective.count(b), "dense").loss for b in (four, two)]
        objective.settings = replace(chosen, dense_crops=0)
        losses.append(objective(four, objective.count(four), "dense").loss)
    torch.testing.assert_close(losses[0], losses[1])
    assert not torch.isclose(losses[0], losses[2], rtol=1e-3)


def turns_of(body: Body, rotations: torch.Tensor) -> torch.Tensor:
    turns = [rotations[:, 0]]
    for joint, parent in enumerate(body.ancestors[0].tolist()):
        if joint:
            turns.append(turns[parent] @ rotations[:, joint])
    return torch.stack(turns, 1)
