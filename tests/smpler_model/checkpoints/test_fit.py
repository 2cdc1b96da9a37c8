from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.files import load_backbone_model, load_model, load_weights
from smpler_model.checkpoints.fit import (
    FIRST_GUESS_FEEDBACK,
    TURN_FEEDBACK,
    CheckpointError,
    identify_config,
)
from smpler_model.network.config import MODELS, SMPLER_NANO, SMPLER_W48, AttentionKind
from smpler_model.network.initialisation import build_backbone_model, build_model
from smpler_model.network.smpler import Smpler
from tests.conftest import OfficialFile, SmallModel

Content = dict[str, Any]


@pytest.fixture
def altered(nano_file: Path, tmp_path: Path) -> Callable[[Callable[[Content], object]], Path]:
    """Return a function that changes a valid file's state and returns the new file."""

    def alter(change: Callable[[Content], object]) -> Path:
        content = torch.load(nano_file, weights_only=True)
        change(content["model"])
        path = tmp_path / "altered.pt"
        torch.save(content, path)
        return path

    return alter


def test_backbone_of_another_project(
    nano: Smpler, body_arrays: BodyArrays, tmp_path: Path
) -> None:
    path = tmp_path / "hrnet.pt"
    torch.save({f"backbone.{k}": v for k, v in nano.backbone.state_dict().items()}, path)
    with pytest.raises(CheckpointError, match="must have the sizes of one of smpler_w32"):
        load_model(path)
    with pytest.raises(CheckpointError, match="not a complete SMPLer checkpoint, give one"):
        load_model(path, config=SMPLER_NANO, body=body_arrays)


@pytest.mark.slow
def test_w32_for_w48(official_file: OfficialFile) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_model(official_file("w32_h36m"), config=SMPLER_W48)
    message = str(caught.value)
    assert (
        "backbone.transition1.0.0.weight is (32, 256, 3, 3) instead of (48, 256, 3, 3)" in message
    )
    assert message.endswith("it is a smpler_w32 file, choose that model")
    assert "\n" not in message


def test_backbone_stage_for_a_whole_model(stage_file: SmallModel) -> None:
    with pytest.raises(CheckpointError, match=r"\d+ missing") as caught:
        load_model(stage_file.path)
    assert "it is from the backbone stage of training" in str(caught.value)


def test_a_whole_model_for_the_backbone_stage(nano: Smpler, nano_file: Path) -> None:
    with pytest.raises(CheckpointError, match=r"\d+ unknown .* not of the backbone stage"):
        load_backbone_model(nano_file)
    stage = build_backbone_model(SMPLER_NANO, nano.body.arrays())
    with pytest.raises(CheckpointError, match=r"\d+ unknown .* not of the backbone stage"):
        load_weights(stage, nano_file)


def test_decoupled_weights_for_full_attention(nano_file: Path) -> None:
    with pytest.raises(CheckpointError, match="trained with decoupled attention, choose"):
        load_model(nano_file, config=replace(SMPLER_NANO, attention="full"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param(
            lambda state: state.pop("init_query_layer_cam.bias"),
            r"1 missing \(init_query_layer_cam.bias\); it is damaged",
            id="key missing",
        ),
        pytest.param(
            lambda state: state.update({"transformer.7.head": torch.zeros(1)}),
            r"1 unknown \(transformer.7.head\); it is damaged",
            id="key too many",
        ),
        pytest.param(
            lambda state: state.update({"SMPL_predictor.init_cam": torch.zeros(3)}),
            r"init_cam is \(3,\) instead of \(1, 3\)\); it is damaged",
            id="key of another shape",
        ),
        pytest.param(
            lambda state: state.pop("smpl_handler.smpl.parents"),
            r"The body in .* 1 missing \(smpl_handler.smpl.parents\)",
            id="body array missing",
        ),
        pytest.param(
            lambda state: state["smpl_handler.smpl.lbs_weights"].zero_(),
            "The body in .* is broken: weights must be positive",
            id="body array broken",
        ),
    ],
)
def test_damaged_state(
    altered: Callable[[Callable[[Content], object]], Path],
    change: Callable[[Content], object],
    complaint: str,
) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        load_model(altered(change))


def test_refusal_leaves_the_model_untouched(
    nano: Smpler,
    stage_file: SmallModel,
    tmp_path: Path,
) -> None:
    content = torch.load(stage_file.path, weights_only=True)
    content["model"].pop("SMPL_predictor.deccam.bias")
    path = tmp_path / "damaged.pt"
    torch.save(content, path)
    model = build_model(SMPLER_NANO, nano.body.arrays())
    before = {key: values.clone() for key, values in model.state_dict().items()}
    with pytest.raises(CheckpointError):
        load_weights(model, path)
    assert all(torch.equal(before[key], v) for key, v in model.state_dict().items())


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("attention", ["decoupled", "full"])
def test_models_are_identified_by_their_keys(name: str, attention: AttentionKind) -> None:
    config = MODELS[name]
    state = {
        "SMPL_predictor.fc1.weight": torch.empty(config.regressor_width, 157 + config.channels[-1])
    }
    if attention == "full":
        state["transformer.0.trans_block.trans_units.0.full_unit.query.bias"] = torch.empty(1)
    assert identify_config(state) == replace(config, attention=attention, turn_feedback=False)
    state |= dict.fromkeys((FIRST_GUESS_FEEDBACK, TURN_FEEDBACK.format(0)), torch.empty(1))
    found = identify_config(state)
    assert found is not None
    has_keypoints = name == "smpler_nano"
    assert found.first_guess_feedback == found.turn_feedback == has_keypoints


def test_unknown_sizes_match_no_model() -> None:
    assert identify_config({"SMPL_predictor.fc1.weight": torch.empty(7, 7)}) is None
    assert identify_config({}) is None
