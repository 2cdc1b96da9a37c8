"""A small bag with ground truth, a network with seeded weights, and its evaluation."""

import copy
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
from smpler_ros.bags.bag_run import Summary, evaluate_bag
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


@pytest.fixture
def breakable(engine: Engine) -> Engine:
    """An engine to put faults into; it shares only the weights with `engine`."""
    own = copy.copy(engine)
    own._pipeline = copy.copy(engine._pipeline)
    own._pipeline.estimator = copy.copy(engine._pipeline.estimator)
    return own


@pytest.fixture(scope="session")
def evaluation(
    small_bag: Path,
    config: EvaluationSettings,
    engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Summary]:
    """The evaluation of the small bag; not to be modified."""
    folder = tmp_path_factory.mktemp("evaluations") / "small_evaluation"
    return folder, evaluate_bag(small_bag, folder, config, engine)
