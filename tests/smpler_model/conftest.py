"""A network whose every part matters, its checkpoint, and its ONNX file, exported once."""

from pathlib import Path

import pytest

from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.inference.export import export_model
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.smpler import Smpler
from tests.calibrated import calibrated_model


@pytest.fixture(scope="session")
def calibrated(body_arrays: BodyArrays) -> Smpler:
    """The small model with seeded weights in evaluation mode; not to be modified."""
    return calibrated_model(SMPLER_NANO, body_arrays)


@pytest.fixture(scope="session")
def calibrated_file(calibrated: Smpler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibrated") / "nano.pt"
    save_checkpoint(calibrated, path)
    return path


@pytest.fixture(scope="session")
def exported_file(calibrated: Smpler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "nano.onnx"
    said = export_model(calibrated, path, "tensorrt-ready-onnx")
    assert "equal to the network within" in said
    return path
