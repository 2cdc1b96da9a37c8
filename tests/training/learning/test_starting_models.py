from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smpler_model.checkpoints.files import save_checkpoint
from training.learning.starting_models import build_starting_model
from training.settings import TrainSettings


@pytest.mark.parametrize("anew", [False, True])
def test_only_a_new_transformer_is_initialised(
    settings: TrainSettings, tmp_path: Path, *, anew: bool
) -> None:
    before = build_starting_model(replace(settings, seed=1))
    save_checkpoint(before, tmp_path / "before.pt")
    begun = build_starting_model(
        replace(settings, seed=2, initial=tmp_path / "before.pt", new_transformer=anew)
    )
    given, found = before.state_dict(), begun.state_dict()
    kept = {name for name, values in found.items() if torch.equal(values, given[name])}
    drawn = {"embedding.rotation.weight", "blocks.0.head.weight", "blocks.1.query_positions"}
    assert not kept & drawn if anew else drawn <= kept
    assert {n for n in found if not n.startswith(("embedding.", "blocks."))} <= kept


def test_a_network_for_2d_joints_may_lack_the_coarser_outputs(
    settings: TrainSettings, tmp_path: Path
) -> None:
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
