"""Fixtures shared by the tests of the command `run`."""

import copy
from pathlib import Path

import pytest

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.network.smpler import Smpler


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def person_file(nano: Smpler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model with a body of small triangles, which are drawn in a moment."""
    model = copy.deepcopy(nano)
    model.body = Body(load_builtin_body())
    path = tmp_path_factory.mktemp("person") / "nano.pt"
    save_checkpoint(model, path)
    return path


@pytest.fixture
def command(person_file: Path, here: Path) -> list[str]:
    """The arguments shared by all runs, without the input; no backend has to compile first."""
    shared = ["--model", str(person_file), "--detector", "full_image", "--device", "cpu"]
    return ["run", *shared, "--backend", "plain", "--threads", "1", "--output", "out"]
