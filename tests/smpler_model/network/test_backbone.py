import json

import pytest
import torch

from smpler_model.network.backbone import build_backbone
from smpler_model.network.config import MODELS, SMPLER_NANO
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


def test_a_mobile_layout_gives_maps_of_the_stated_sizes() -> None:
    config = SMPLER_NANO
    with torch.inference_mode():
        maps = build_backbone(config).eval()(torch.zeros(1, 3, *[config.image_size] * 2))
    expected = zip(config.channels, config.feature_sizes, strict=True)
    assert [tuple(m.shape) for m in maps] == [(1, c, side, side) for c, side in expected]
