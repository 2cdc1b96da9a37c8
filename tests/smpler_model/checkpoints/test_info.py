from pathlib import Path

import pytest
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.checkpoints.fit import CheckpointError
from smpler_model.checkpoints.info import describe_checkpoint, list_keys
from smpler_model.checkpoints.official_layout import BODY_PREFIX
from smpler_model.network.smpler import Smpler
from tests.conftest import OfficialFile, SmallModel


def rows_of(description: str) -> dict[str, str]:
    pairs = (line.split(maxsplit=1) for line in description.splitlines())
    return {pair[0]: pair[1] for pair in pairs}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "model", "count", "paper"),
    [
        ("w32_h36m", "smpler_w32", "37,355,950", "35.6 M"),
        ("w48_3dpw", "smpler_w48", "73,615,150", "70.2 M"),
    ],
)
def test_official_files(
    official_file: OfficialFile, variant: str, model: str, count: str, paper: str
) -> None:
    rows = rows_of(describe_checkpoint(official_file(variant)))
    assert rows["form"] == "dictionary with the state under 'model', with epoch, global_iter"
    assert rows["model"] == f"{model}, decoupled attention"
    assert rows["parameters"].startswith(f"{count} trainable, {paper} as the paper counts")
    assert rows["keys"] == "2,538: backbone 1,830, first guess 13, body 9, Transformer 686"
    assert rows["numbers"] == "float32, int64"
    assert rows["loads"] == "yes, every key and shape fits"


def test_backbone_stage(stage_file: SmallModel) -> None:
    rows = rows_of(describe_checkpoint(stage_file.path))
    assert rows["model"] == "smpler_nano, backbone stage of training (no Transformer)"
    count = sum(p.numel() for p in stage_file.model.parameters())
    assert rows["parameters"].startswith(f"{count:,} trainable")
    assert rows["loads"] == "yes, every key and shape fits"


def test_file_without_a_body(nano: Smpler, body_arrays: BodyArrays, tmp_path: Path) -> None:
    path = tmp_path / "bare.pt"
    save_checkpoint(nano, path, include_body=False, dtype=torch.float16)
    without, given = (rows_of(describe_checkpoint(path, body)) for body in (None, body_arrays))
    assert without["body"] == "none: loading needs one"
    assert without["loads"].startswith("no: ")
    assert given["loads"] == "yes, every key and shape fits"


def test_a_broken_body_is_not_hidden_by_a_given_one(
    nano_file: Path, body_arrays: BodyArrays, tmp_path: Path
) -> None:
    state = torch.load(nano_file, weights_only=True)["model"]
    del state[f"{BODY_PREFIX}smpl.lbs_weights"]
    path = tmp_path / "damaged.pt"
    torch.save(state, path)
    assert rows_of(describe_checkpoint(path, body_arrays))["loads"].startswith("no: ")


def test_a_misfit_is_explained(nano_file: Path, tmp_path: Path) -> None:
    state = torch.load(nano_file, weights_only=True)["model"]
    del state["init_query_layer_cam.bias"]
    path = tmp_path / "damaged.pt"
    torch.save(state, path)
    rows = rows_of(describe_checkpoint(path))
    assert rows["form"] == "state dict"
    assert "1 missing (init_query_layer_cam.bias)" in rows["loads"]


def test_file_of_another_project_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="give a SMPLer checkpoint"):
        describe_checkpoint(path)


def test_keys_are_listed_with_both_names(nano_file: Path) -> None:
    lines = list_keys(nano_file).splitlines()
    assert len(lines) == len(torch.load(nano_file, weights_only=True)["model"])
    assert "transformer.1.cam_predictor.bias  (3,)  float32  blocks.1.camera_delta.bias" in lines
    assert "smpl_handler.smpl.parents  (24,)  int64  body" in lines
    assert not [line for line in lines if line.endswith("unknown")]
