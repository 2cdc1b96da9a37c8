from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.checkpoints.files import load_backbone_model, load_model, save_checkpoint
from smpler_model.checkpoints.shipped import shipped_path
from smpler_model.network.config import MODELS, find_model
from tests.same_weights import assert_same_weights
from tests.small_hrnet import SMALL_HRNET
from training.learning.starting_models import (
    build_starting_model,
    load_arrays,
    load_regressor,
    replace_regressor,
)
from training.settings import TrainSettings, load_settings

CONFIG = Path(__file__).parents[3] / "config"


@pytest.mark.slow
def test_a_run_begins_with_all_of_an_initial_model(
    settings: TrainSettings, tmp_path: Path
) -> None:
    before = build_starting_model(replace(settings, seed=1))
    save_checkpoint(before, tmp_path / "before.pt")
    begun = build_starting_model(replace(settings, seed=2, initial=tmp_path / "before.pt"))
    assert_same_weights(begun, before)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["backbone", "smpler"])
def test_a_run_may_leave_out_the_first_guess_feedback_of_the_one_before(
    settings: TrainSettings, tmp_path: Path, stage: Literal["backbone", "smpler"]
) -> None:
    given = replace(settings, stage=stage, first_guess_feedback=True)
    before = build_starting_model(replace(given, seed=1))
    feedback = before.regressor.feedback
    assert feedback is not None
    torch.nn.init.ones_(feedback.weight)
    path = tmp_path / "before.pt"
    save_checkpoint(before, path)
    load = load_model if stage == "smpler" else load_backbone_model
    assert_same_weights(load(path, config=find_model("smpler_nano")), before)
    again = build_starting_model(replace(given, initial=path))
    assert_same_weights(again, before)

    assert_same_weights(build_starting_model(replace(settings, stage=stage, initial=path)), before)
    without = replace(settings, stage=stage, first_guess_feedback=False)
    begun = build_starting_model(replace(without, initial=path))
    assert begun.regressor.feedback is None
    before.regressor.feedback = None
    assert_same_weights(begun, before)

    save_checkpoint(begun, path)
    wanted = replace(find_model("smpler_nano"), first_guess_feedback=True)
    assert load(path, config=wanted).regressor.feedback is None
    ungiven = build_starting_model(replace(given, initial=path)).regressor.feedback
    assert ungiven is not None
    assert not ungiven.weight.any(), "it starts anew, at zero"


@pytest.mark.slow
def test_a_run_may_add_the_turns_that_the_one_before_lacked(
    settings: TrainSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "before.pt"
    lacking = replace(settings, turn_feedback=False)
    before = build_starting_model(replace(lacking, seed=1))
    save_checkpoint(before, path)
    assert not load_model(path).config.turn_feedback
    assert_same_weights(build_starting_model(replace(settings, initial=path)), before)
    begun = build_starting_model(replace(settings, initial=path, turn_feedback=True))
    assert "turn_feedback starts at zero" in caplog.text
    layers = [block.turn_feedback for block in begun.blocks]
    assert not any(layer.weight.any() for layer in layers)
    for layer in layers:
        torch.nn.init.ones_(layer.weight)
    save_checkpoint(begun, path)
    assert_same_weights(load_model(path, config=find_model("smpler_nano")), begun)
    assert_same_weights(build_starting_model(replace(settings, initial=path)), begun)
    assert_same_weights(build_starting_model(replace(lacking, initial=path)), before)


def test_who_trains_the_shipped_weights_further_keeps_all_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    given = load_settings(CONFIG / "train" / "synthetic.yaml")
    shipped = load_model(shipped_path("smpler_nano"), body=load_builtin_body())
    begun = build_starting_model(replace(given, initial=shipped_path("smpler_nano")))
    assert_same_weights(begun, shipped)
    assert "left out" not in caplog.text


def test_only_its_own_regressor_fits_the_built_in_body(tmp_path: Path) -> None:
    arrays = load_builtin_body()
    own = arrays.J_regressor_h36m
    assert own is not None
    path = tmp_path / "regressor.npy"
    np.save(path, own)
    assert load_arrays(None, path).J_regressor_h36m is not None
    np.save(path, own[:, ::-1])
    with pytest.raises(ValueError, match="needs the body that it was made for, got the built-in"):
        load_arrays(None, path)
    another = replace(arrays, v_template=1.1 * arrays.v_template)
    found = replace_regressor(another, path).J_regressor_h36m
    np.testing.assert_array_equal(found, own[:, ::-1])


def test_training_refuses_another_regressor_for_a_built_in_body_in_weights(
    settings: TrainSettings, tmp_path: Path
) -> None:
    own = load_builtin_body().J_regressor_h36m
    assert own is not None
    np.save(tmp_path / "regressor.npy", own[:, ::-1])
    save_checkpoint(build_starting_model(settings), tmp_path / "before.pt")
    begun = replace(settings, initial=tmp_path / "before.pt", regressor=tmp_path / "regressor.npy")
    with pytest.raises(ValueError, match="needs the body that it was made for, got the built-in"):
        build_starting_model(begun)


def test_a_regressor_is_one_array(tmp_path: Path) -> None:
    path = tmp_path / "regressor.npy"
    for content in (b"", b"no array"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"regressor\.npy must be a \.npy file, got one that"):
            load_regressor(path)
    np.savez(tmp_path / "x.npz", np.zeros((17, 6890)))
    with pytest.raises(ValueError, match=r"x\.npz must be .* of one array, got an archive"):
        load_regressor(tmp_path / "x.npz")


def test_a_network_for_2d_joints_may_lack_the_coarser_outputs(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, SMALL_HRNET.name, SMALL_HRNET)
    settings = replace(settings, model=SMALL_HRNET.name)
    state = build_starting_model(replace(settings, seed=1)).backbone.state_dict()
    last = max(key.split(".")[1] for key in state if key.startswith("stage4."))
    mixing = tuple(f"stage4.{last}.fuse_layers.{scale}." for scale in (1, 2, 3))
    trained = {key: values for key, values in state.items() if not key.startswith(mixing)}
    assert len(trained) < len(state)
    path = tmp_path / "pose.pth"
    torch.save(trained | {"final_layer.weight": torch.zeros(17, 16, 1, 1)}, path)
    begun = build_starting_model(replace(settings, seed=2, backbone_weights=path))
    found = begun.backbone.state_dict()
    assert all(torch.equal(found[key], values) for key, values in trained.items())

    torch.save({key: v for key, v in trained.items() if "stage3.0." not in key}, path)
    with pytest.raises(ValueError, match=r"does not fit: keys .* missing"):
        build_starting_model(replace(settings, backbone_weights=path))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="it is truncated or of another kind"):
        build_starting_model(replace(settings, backbone_weights=path))
