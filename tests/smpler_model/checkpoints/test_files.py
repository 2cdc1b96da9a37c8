import os
import pickle
import re
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch

from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.files import (
    load_backbone_model,
    load_model,
    load_weights,
    read_checkpoint,
    save_checkpoint,
)
from smpler_model.checkpoints.fit import CheckpointError, check_finite
from smpler_model.checkpoints.info import describe_checkpoint
from smpler_model.network.config import SMPLER_NANO, SMPLER_W32
from smpler_model.network.initialisation import build_model
from smpler_model.network.smpler import Smpler
from tests.conftest import OfficialFile, SmallModel
from tests.packed_zeros import add_zeros
from tests.same_weights import assert_same_weights

pytestmark = pytest.mark.slow

Content = dict[str, Any]


class Hostile:
    """Unpickling it creates a file, like code that a careless loader would run."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.witness}",)


def test_official_file_survives_a_round_trip(official_file: OfficialFile, tmp_path: Path) -> None:
    official = read_checkpoint(official_file("w32_h36m"))
    model = load_model(official.path)
    assert model.config == SMPLER_W32
    assert not model.training

    saved = tmp_path / "saved.pt"
    save_checkpoint(model, saved, other=official.other)
    again = read_checkpoint(saved)

    assert again.other == official.other == {"epoch": 0, "global_iter": 0}
    assert set(again.state) == set(official.state)
    for key, values in official.state.items():
        assert again.state[key].dtype == values.dtype, key
        assert torch.equal(again.state[key], values), key
    assert_same_weights(load_model(saved, config=SMPLER_W32), model)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before PyTorch 1.6"])
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda state: state, id="state dict"),
        pytest.param(lambda state: {"model": state}, id="under model"),
        pytest.param(
            lambda state: {
                "model": state,
                "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{}]},
                "epoch": 3,
                "global_iter": 1000,
            },
            id="training checkpoint",
        ),
    ],
)
def test_all_forms_of_files_load(
    nano: Smpler, nano_file: Path, tmp_path: Path, wrap: Callable[[Content], Content], legacy: bool
) -> None:
    content = wrap(torch.load(nano_file, weights_only=True)["model"])
    path = tmp_path / "form.pt"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert_same_weights(load_model(path), nano)
    assert set(read_checkpoint(path).other) == set(content) & {"optimizer", "epoch", "global_iter"}


def test_half_precision_file_without_a_body(
    nano: Smpler, body_arrays: BodyArrays, tmp_path: Path
) -> None:
    path = tmp_path / "half.pt"
    save_checkpoint(nano, path, include_body=False, dtype=torch.float16)
    assert path.stat().st_size < 12e6
    with pytest.raises(CheckpointError, match="must hold a body, got none; give one"):
        load_model(path)

    model = load_model(path, body=body_arrays)

    assert all(p.dtype == torch.float32 for p in model.parameters())
    for loaded, stored in zip(model.parameters(), nano.parameters(), strict=True):
        if stored.numel() < 600:
            assert torch.equal(loaded, stored)
        else:
            assert torch.equal(loaded, stored.half().float())
    buffers = dict(nano.named_buffers())
    assert all(torch.equal(values, buffers[name]) for name, values in model.named_buffers())


def test_another_body_gets_the_file_s_regressor(nano_file: Path, body_arrays: BodyArrays) -> None:
    taller = replace(body_arrays, v_template=body_arrays.v_template * 2, J_regressor_h36m=None)
    body = load_model(nano_file, body=taller).body.arrays()
    assert np.allclose(body.v_template, taller.v_template)
    assert body.J_regressor_h36m is not None
    assert np.allclose(body.J_regressor_h36m, body_arrays.J_regressor_h36m)


def test_float64_model_is_saved_in_float64(nano: Smpler, tmp_path: Path) -> None:
    model = build_model(SMPLER_NANO, nano.body.arrays()).double()
    path = tmp_path / "double.pt"
    save_checkpoint(model, path)
    assert_same_weights(load_model(path).double(), model.float().double())


def test_backbone_stage_loads_alone_and_into_a_whole_model(
    nano: Smpler, stage_file: SmallModel
) -> None:
    assert_same_weights(load_backbone_model(stage_file.path), stage_file.model)

    model = build_model(SMPLER_NANO, nano.body.arrays())
    blocks = {key: values.clone() for key, values in model.blocks.state_dict().items()}
    load_weights(model, stage_file.path)

    assert_same_weights(model.backbone, stage_file.model.backbone)
    assert_same_weights(model.regressor, stage_file.model.regressor)
    assert all(torch.equal(blocks[k], v) for k, v in model.blocks.state_dict().items())


def test_interrupted_save_leaves_the_old_file(
    nano: Smpler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.pt"
    path.write_text("old")

    def fail(_state: object, file: IO[bytes]) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(nano, path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


# Every file below is really damaged or wrong.


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"got .*nothing\.pt; give the abs"):
        load_model(tmp_path / "nothing.pt")


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_truncated_file(nano_file: Path, tmp_path: Path, share: float) -> None:
    whole = nano_file.read_bytes()
    path = tmp_path / "cut.pt"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match="truncated or of another kind"):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"no weights, just text\n", bytes(range(256))])
def test_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="truncated or of another kind"):
        load_model(path)


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        pytest.param(torch.save, "reference to [a-z]+.system; it was not executed", id="torch"),
        pytest.param(
            lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2)),
            "reference to [a-z]+.system; it was not executed",
            id="pickle",
        ),
        pytest.param(
            lambda content, path: path.write_bytes(pickle.dumps(content)),
            "cannot be read",
            id="pickle of a newer protocol",
        ),
    ],
)
@pytest.mark.parametrize("place", [lambda h: h, lambda h: {"model": h}], ids=["bare", "nested"])
def test_file_with_code_is_refused(
    tmp_path: Path,
    write: Callable[[object, Path], object],
    complaint: str,
    place: Callable[[Hostile], object],
) -> None:
    witness, path = tmp_path / "witness", tmp_path / "hostile.pt"
    write(place(Hostile(witness)), path)
    with pytest.raises(CheckpointError, match=complaint):
        load_model(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param({"a": torch.zeros(1)}, "dictionary with 'a'", id="foreign weights"),
        pytest.param({"a": 1, "b": "text"}, "dictionary with 'a', 'b'", id="no tensors"),
        pytest.param({"model": {}}, "nothing in it", id="empty"),
        pytest.param([torch.zeros(1)], "a list", id="list"),
        pytest.param(torch.zeros(1), "a Tensor", id="tensor"),
    ],
)
def test_not_a_smpler_file(tmp_path: Path, content: object, found: str) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=f"{found}; give a SMPLer checkpoint"):
        load_model(path)


def changed(path: Path, target: Path, change: Callable[[Content], object]) -> Path:
    """Write a file's content again, with a change."""
    content = torch.load(path, weights_only=True)
    torch.save(change(content["model"]), target)
    return target


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda s: {f"module.{key}": v for key, v in s.items()}, id="several GPUs"),
        pytest.param(lambda s: {"state_dict": s, "epoch": 3}, id="under state_dict"),
        pytest.param(
            lambda s: {"model": s, "loss": np.float64(1), "step": np.int64(3)},
            id="NumPy's numbers",
        ),
        pytest.param(lambda s: {"model": s, "args": Namespace(lr=1e-4)}, id="a Namespace"),
    ],
)
def test_formats_of_training_scripts(
    nano: Smpler, nano_file: Path, tmp_path: Path, wrap: Callable[[Content], Content]
) -> None:
    path = changed(nano_file, tmp_path / "other.pt", wrap)
    assert_same_weights(load_model(path), nano)


def test_a_bfloat16_file_loads(nano: Smpler, nano_file: Path, tmp_path: Path) -> None:
    path = changed(
        nano_file,
        tmp_path / "small.pt",
        lambda state: {k: v.bfloat16() if v.is_floating_point() else v for k, v in state.items()},
    )
    loaded = load_model(path)
    found = loaded.state_dict()
    for key, values in nano.state_dict().items():
        assert found[key].dtype == values.dtype, key
        assert torch.allclose(found[key], values, rtol=1e-2, atol=1e-2), key
    torch.testing.assert_close(loaded.body.v_template, nano.body.v_template, rtol=1e-2, atol=1e-2)


KEY = "SMPL_predictor.fc1.weight"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda v: v * float("nan"), f"finite numbers, got others in {KEY}", id="NaN"),
        pytest.param(lambda v: v / 0, f"finite numbers, got others in {KEY}", id="infinite"),
        pytest.param(lambda v: v.to(torch.complex64), f"the complex '{KEY}'", id="complex"),
        pytest.param(lambda v: v.to_sparse(), f"the sparse '{KEY}'", id="sparse"),
        pytest.param(lambda v: v.to("meta"), f"the empty .meta. '{KEY}'", id="meta"),
        pytest.param(
            lambda v: torch.quantize_per_tensor(v, 0.1, 0, torch.qint8),
            f"the quantised '{KEY}'",
            id="quantised",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_non_numeric_weights_are_refused_by_key(
    nano_file: Path, tmp_path: Path, spoil: Callable[[torch.Tensor], torch.Tensor], words: str
) -> None:
    path = changed(
        nano_file, tmp_path / "spoilt.pt", lambda s: {"model": s | {KEY: spoil(s[KEY])}}
    )
    with pytest.raises(CheckpointError, match=words):
        load_model(path)
    try:
        said = describe_checkpoint(path)
    except CheckpointError as error:
        said = str(error)
    assert "no: " in said or re.search(words, said)
    assert re.search(words, said)


def test_large_weights_are_finite_although_their_sum_is_not() -> None:
    check_finite({"large": torch.full((2, 2), torch.finfo().max)}, source="a file")


@pytest.mark.parametrize("variant", ["nano", "w32_h36m"])
def test_loading_draws_nothing(variant: str, nano_file: Path, official_file: OfficialFile) -> None:
    """No random number is drawn for weights that are replaced by the file's."""
    path = nano_file if variant == "nano" else official_file(variant)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    load_model(path)
    assert torch.equal(torch.get_rng_state(), before)


def test_keys_that_are_not_text_are_refused(nano_file: Path, tmp_path: Path) -> None:
    path = changed(nano_file, tmp_path / "odd.pt", lambda s: {"model": s | {3: s[KEY]}})
    with pytest.raises(CheckpointError, match="a dictionary of named tensors"):
        read_checkpoint(path)


def test_a_file_that_expands_too_much_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "packed.pt"
    torch.save({"model": {"backbone.conv1.weight": torch.zeros(3)}}, packed)
    add_zeros(packed, "packed/data/1", 1_200_000_000)
    assert packed.stat().st_size < 6_000_000
    with pytest.raises(CheckpointError, match=r"MB that expand to 1\.2 GB"):
        read_checkpoint(packed)
