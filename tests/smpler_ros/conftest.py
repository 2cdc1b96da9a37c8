"""A small bag with ground truth, and a network with seeded weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.initialisation import build_model
from smpler_ros.bags.bag_writer import BagFormat
from smpler_ros.bags.engine import Engine
from smpler_ros.bags.settings import EvaluationSettings
from smpler_ros.camera.scene_bag import SceneBagSettings, write_scene_bag

WriteBag = Callable[..., Path]

SMALL = SceneBagSettings(
    duration=0.8, rate=10, width=160, height=120, people=2, image="raw", seed=1
)


@pytest.fixture(scope="session")
def body() -> Body:
    return Body(load_builtin_body())


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeded random weights: their results are meaningless, but reproducible."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "nano.pt"
    save_checkpoint(build_model(SMPLER_NANO, load_builtin_body()), path)
    return path


@pytest.fixture(scope="session")
def config(checkpoint: Path) -> EvaluationSettings:
    return EvaluationSettings(
        model=str(checkpoint), device="cpu", backend="plain", confirm_frames=1, boxes="truth"
    )


@pytest.fixture(scope="session")
def engine(config: EvaluationSettings) -> Engine:
    return Engine(config)


@pytest.fixture(scope="session")
def write_bag(body: Body, tmp_path_factory: pytest.TempPathFactory) -> WriteBag:
    """Return a function that writes a bag of `SMALL` with changes."""
    folder = tmp_path_factory.mktemp("bags")

    def write(name: str, kind: BagFormat = "mcap", **changes: object) -> Path:
        path = folder / name
        if not path.exists():
            write_scene_bag(path, body, replace(SMALL, **changes), kind)
        return path

    return write


@pytest.fixture(scope="session")
def small_bag(write_bag: WriteBag) -> Path:
    return write_bag("small")
