from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smpler_model.checkpoint import save_checkpoint
from training.settings import TrainSettings
from training.starting_models import build_starting_model


@pytest.mark.parametrize("anew", [False, True])
def test_only_a_new_transformer_starts_from_nothing(
    settings: TrainSettings, tmp_path: Path, *, anew: bool
) -> None:
    before = build_starting_model(replace(settings, seed=1))
    save_checkpoint(before, tmp_path / "before.pt")
    begun = build_starting_model(
        replace(settings, seed=2, initial=tmp_path / "before.pt", new_transformer=anew)
    )
    kept = {
        name
        for name, values in begun.state_dict().items()
        if torch.equal(values, before.state_dict()[name])
    }
    drawn = {"embedding.rotation.weight", "blocks.0.head.weight", "blocks.1.query_positions"}
    assert not kept & drawn if anew else drawn <= kept
    assert {n for n in begun.state_dict() if not n.startswith(("embedding.", "blocks."))} <= kept
