import json
from dataclasses import replace

import pytest
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.official_layout import (
    BODY_PREFIX,
    BODY_SHAPES,
    TABLE,
    body_from_official,
    find_official_key,
    find_our_key,
    official_from_body,
)
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_model
from smpler_model.network.smpler import Smpler
from tests.parity.seeded_checkpoint import DATA


@pytest.fixture(scope="module")
def manifest() -> dict[str, tuple[list[int], str]]:
    return json.loads((DATA / "manifest_w32.json").read_text())


def test_every_official_key_is_translated_or_the_body_s(manifest: dict) -> None:
    learned = {key for key in manifest if not key.startswith(BODY_PREFIX)}
    translated = {key: find_our_key(key) for key in learned}
    assert all(translated.values())
    assert len(set(translated.values())) == len(learned) == 2529
    assert {find_official_key(ours or "") for ours in translated.values()} == learned


def test_body_keys_have_the_official_shapes_and_types(
    manifest: dict, body_arrays: BodyArrays
) -> None:
    official = {key: v for key, v in manifest.items() if key.startswith(BODY_PREFIX)}
    assert {key: list(shape) for key, shape in BODY_SHAPES.items()} == {
        key: shape for key, (shape, _) in official.items()
    }
    written = official_from_body(body_arrays)
    assert {key: [list(v.shape), str(v.dtype)[6:]] for key, v in written.items()} == official


@pytest.mark.parametrize("attention", ["decoupled", "full"])
def test_every_key_has_an_official_name(body_arrays: BodyArrays, attention: str) -> None:
    config = replace(SMPLER_NANO, attention=attention)
    with torch.device("cpu"):
        keys = build_model(config, body_arrays).state_dict()
    official = [find_official_key(key) for key in keys]
    assert all(official)
    assert [find_our_key(key or "") for key in official] == list(keys)


def test_every_row_of_the_table_is_used(nano: Smpler, body_arrays: BodyArrays) -> None:
    others = replace(SMPLER_NANO, attention="full", first_guess_feedback=True)
    full = build_model(others, body_arrays)
    depths = {row[0].count(".") + 1 for row in TABLE}
    prefixes = {
        ".".join("*" if part.isdigit() else part for part in key.split(".")[:depth])
        for key in [*nano.state_dict(), *full.state_dict()]
        for depth in depths
    }
    sequence = {row[0] for row in TABLE if row[0].startswith("regressor.hidden")}
    assert {row[0] for row in TABLE} - sequence <= prefixes


def test_unknown_keys_have_no_translation() -> None:
    assert find_our_key("transformer.x.theta_predictor.weight") is None
    assert find_our_key("SMPL_predictor.fc10.weight") is None
    assert find_official_key("blocks.0.heads.weight") is None


def test_body_survives_the_layout(body_arrays: BodyArrays) -> None:
    back = body_from_official(official_from_body(body_arrays))
    for name, values in vars(body_arrays).items():
        assert (getattr(back, name) == values.astype(getattr(back, name).dtype)).all(), name


def test_body_without_a_regressor_cannot_be_written(body_arrays: BodyArrays) -> None:
    with pytest.raises(ValueError, match="must have a J_regressor_h36m"):
        official_from_body(body_arrays.with_regressor(None))
