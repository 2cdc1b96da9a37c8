from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smpler_model.checkpoints.files import load_model, save_checkpoint
from tests.calibrated import calibrate_norms
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


@pytest.mark.parametrize("stage", ["smpler", "backbone"])
def test_a_wider_network_starts_equal_and_can_learn(
    settings: TrainSettings, tmp_path: Path, stage: str
) -> None:
    settings = replace(settings, stage=stage)
    narrow = build_starting_model(replace(settings, seed=1, backbone_width=8, last_modules=1))
    side = narrow.config.image_size
    images = torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(0))
    calibrate_norms(narrow.backbone, images)
    save_checkpoint(narrow, tmp_path / "narrow.pt")
    wider = replace(settings, seed=2, backbone_width=12, initial=tmp_path / "narrow.pt")
    begun = build_starting_model(wider)
    assert begun.config.channels == (12, 24, 48, 96)
    with torch.no_grad():
        before, after = (model.double().eval()(images.double()) for model in (narrow, begun))
        maps = begun.backbone(images.double())
    for one, other in zip(before.stages, after.stages, strict=True):
        torch.testing.assert_close(one.joints, other.joints, atol=1e-9, rtol=0)
    assert all(bool(m[:, len(m[0]) * 2 // 3 :].std() > 0) for m in maps)

    begun.float().train()
    begun(images).final.joints.square().mean().backward()
    reading = begun.regressor.hidden[0].weight.grad
    assert reading is not None
    assert bool((reading[:, 64:96] != 0).any())


@pytest.mark.parametrize("stage", ["smpler", "backbone"])
def test_a_deeper_network_starts_equal_and_can_learn(
    settings: TrainSettings, tmp_path: Path, stage: str
) -> None:
    settings = replace(settings, stage=stage)
    shallow = build_starting_model(replace(settings, seed=1, last_modules=1))
    save_checkpoint(shallow, tmp_path / "shallow.pt")
    deeper = replace(settings, seed=2, last_modules=3, initial=tmp_path / "shallow.pt")
    begun = build_starting_model(deeper)
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = shallow.eval().backbone(images)
        after = begun.eval().backbone(images)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))

    begun.train()
    sum((feature_map**2).mean() for feature_map in begun.backbone(images)).backward()
    for number in (1, 2):
        module = begun.get_submodule(f"backbone.stage4.{number}")
        scales = [block.bn2.weight for branch in module.branches for block in branch]
        assert all(bool((scale.grad != 0).any()) for scale in scales)


def test_a_deeper_network_is_not_made_shallower(settings: TrainSettings, tmp_path: Path) -> None:
    deep = build_starting_model(replace(settings, last_modules=2))
    save_checkpoint(deep, tmp_path / "deep.pt")
    with pytest.raises(ValueError, match="does not fit"):
        build_starting_model(replace(settings, last_modules=1, initial=tmp_path / "deep.pt"))


@pytest.mark.parametrize("side", [64, 128])
def test_a_network_continues_with_another_image_size(
    settings: TrainSettings, tmp_path: Path, side: int
) -> None:
    before = build_starting_model(replace(settings, seed=1, crop_side=96))
    ramp = torch.linspace(-1 + 1 / 24, 1 - 1 / 24, 24)  # at the pixels' centres
    before.blocks[0].map_positions.data[:] = ramp[:, None] - 3 * ramp
    save_checkpoint(before, tmp_path / "before.pt")
    other = replace(settings, seed=2, crop_side=side, initial=tmp_path / "before.pt")
    begun = build_starting_model(other)
    assert begun.config.image_size == side
    cells = side // 4
    wanted = torch.linspace(-1 + 1 / cells, 1 - 1 / cells, cells)
    found = begun.state_dict()["blocks.0.map_positions"][0, 5]
    inside = slice(2, -2)  # at the border there is nothing to interpolate with
    sloped = wanted[:, None] - 3 * wanted
    torch.testing.assert_close(found[inside, inside], sloped[inside, inside])
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = [model.eval().backbone(images) for model in (before, begun)]
        assert begun(images).final.keypoints.shape == (2, 24, 2)
    assert all(torch.equal(a, b) for a, b in zip(*maps, strict=True))
    save_checkpoint(begun, tmp_path / "begun.pt")
    assert load_model(tmp_path / "begun.pt").config.image_size == side


def test_sides_fit_the_backbone(settings: TrainSettings) -> None:
    with pytest.raises(ValueError, match="image_size must be a multiple of 32, got 100"):
        build_starting_model(replace(settings, crop_side=100))


def test_a_released_backbone_cannot_be_changed(settings: TrainSettings) -> None:
    with pytest.raises(ValueError, match="last_modules must be 0 for smpler_w32, got 2"):
        build_starting_model(replace(settings, model="smpler_w32", last_modules=2))
    with pytest.raises(ValueError, match="backbone_width must be 0 for smpler_w32, got 48"):
        build_starting_model(replace(settings, model="smpler_w32", backbone_width=48))


def test_a_grown_network_can_have_a_new_transformer(
    settings: TrainSettings, tmp_path: Path
) -> None:
    before = build_starting_model(replace(settings, seed=1, last_modules=1))
    save_checkpoint(before, tmp_path / "before.pt")
    deeper = replace(settings, seed=2, last_modules=2, initial=tmp_path / "before.pt")
    kept = build_starting_model(deeper).state_dict()
    renewed = build_starting_model(replace(deeper, new_transformer=True)).state_dict()
    name = "blocks.0.query_positions"
    assert torch.equal(kept[name], before.state_dict()[name])
    assert not torch.equal(renewed[name], kept[name])
    assert torch.equal(renewed["backbone.conv1.weight"], kept["backbone.conv1.weight"])
