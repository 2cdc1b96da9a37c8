from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.network.config import MODELS
from tests.small_hrnet import SMALL_HRNET
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


@pytest.mark.slow
def test_a_run_begins_with_all_of_an_initial_model(
    settings: TrainSettings, tmp_path: Path
) -> None:
    before = build_starting_model(replace(settings, seed=1))
    save_checkpoint(before, tmp_path / "before.pt")
    begun = build_starting_model(replace(settings, seed=2, initial=tmp_path / "before.pt"))
    assert all(
        torch.equal(values, before.state_dict()[name])
        for name, values in begun.state_dict().items()
    )


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
