"""Networks: one whose every part matters, its checkpoint and ONNX file; pipelines around one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from smpler_model.body.arrays import BodyArrays
from smpler_model.checkpoints.files import save_checkpoint
from smpler_model.detectors.detector import GivenBoxes
from smpler_model.inference.estimator import Estimator
from smpler_model.inference.export import export_model
from smpler_model.network.config import SMPLER_NANO
from smpler_model.network.smpler import Smpler
from smpler_model.pipeline import Pipeline
from tests.calibrated import calibrated_model
from tests.smpler_model.boxed_frames import AT_ONCE


@pytest.fixture(scope="session")
def calibrated(body_arrays: BodyArrays) -> Smpler:
    """The small model, with all that it may have, in evaluation mode; not to be modified."""
    return calibrated_model(replace(SMPLER_NANO, first_guess_feedback=True), body_arrays)


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


@pytest.fixture(scope="session")
def estimator(nano: Smpler) -> Estimator:
    """The small untrained network."""
    return Estimator(nano, backend="plain")  # the usual one has to compile first


@pytest.fixture
def create(estimator: Estimator) -> Callable[[], Pipeline]:
    """Return a function that creates a pipeline without state, whose boxes are given."""
    return lambda: Pipeline(estimator, GivenBoxes, AT_ONCE)
