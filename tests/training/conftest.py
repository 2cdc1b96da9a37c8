"""A few rendered crops, and a run small enough for a test."""

from dataclasses import replace
from pathlib import Path

import pytest

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from smpler_model.network.config import SMPLER_NANO
from synthetic.crops import CropRenderer
from tests.parity.seeded_dataset import write_dataset
from training.data.crop_files import CropFiles, render_file, shard_path
from training.data.data_settings import CropData
from training.settings import TrainSettings

CROPS, HELD_OUT = 16, 4


@pytest.fixture(scope="session")
def body() -> Body:
    return Body(load_builtin_body())


@pytest.fixture(scope="session")
def crop_folder(body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    renderer = CropRenderer(body, SMPLER_NANO.image_size)
    for seed, count in ((0, CROPS), (1_000_000, HELD_OUT)):
        render_file(renderer, shard_path(folder, seed), seed, count)
    return folder


@pytest.fixture(scope="session")
def crops(crop_folder: Path) -> CropFiles:
    return CropFiles([shard_path(crop_folder, 0)])


@pytest.fixture
def settings(crop_folder: Path, tmp_path: Path) -> TrainSettings:
    data = CropData(folder=crop_folder, shards=1, held_out_shards=1, crops=CROPS // 2)
    small = TrainSettings(
        data=data,
        output=tmp_path / "run",
        threads=1,
        steps=4,
        batch=2,
        autocast="none",
    )
    return replace(small, checkpoint_every=2, evaluate_every=4, warm_up=1)


@pytest.fixture(scope="session")
def seeded_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `eval.yaml` and `train.yaml`; not to be modified."""
    folder = tmp_path_factory.mktemp("seeded")
    write_dataset(folder)
    return folder
