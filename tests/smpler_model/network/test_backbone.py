import json

import pytest
import torch

from smpler_model.network.backbone import build_backbone
from smpler_model.network.config import MODELS, SMPLER_MOBILE, SMPLER_NANO, ModelConfig
from smpler_model.network.torchvision_operators import import_torchvision
from tests.parity.seeded_checkpoint import DATA


@pytest.mark.parametrize("variant", ["w32", "w48"])
def test_state_keys_and_shapes_are_the_official_ones(variant: str) -> None:
    manifest = json.loads((DATA / f"manifest_{variant}.json").read_text())
    prefix = "backbone."
    official = {key[len(prefix) :]: v[0] for key, v in manifest.items() if key.startswith(prefix)}
    with torch.device("meta"):
        network = build_backbone(MODELS[f"smpler_{variant}"])
    ours = {key: list(values.shape) for key, values in network.state_dict().items()}
    assert len(ours) == 1830
    assert ours == official


@pytest.mark.parametrize("config", [SMPLER_NANO, SMPLER_MOBILE], ids=lambda config: config.name)
def test_layouts_give_maps_of_the_stated_sizes(config: ModelConfig) -> None:
    with torch.inference_mode():
        maps = build_backbone(config).eval()(torch.zeros(1, 3, *[config.image_size] * 2))
    expected = zip(config.channels, config.feature_sizes, strict=True)
    assert [tuple(m.shape) for m in maps] == [(1, c, side, side) for c, side in expected]


def test_layouts_do_not_change_timms_own_networks() -> None:
    import_torchvision()
    from timm.models.hrnet import cfg_cls

    before = json.dumps(cfg_cls, sort_keys=True, default=str)
    build_backbone(SMPLER_NANO)
    assert json.dumps(cfg_cls, sort_keys=True, default=str) == before
