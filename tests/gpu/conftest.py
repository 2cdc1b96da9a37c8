"""What the tests of a GPU share. `make gpu` runs them; elsewhere they are skipped."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from smpler_model.checkpoints.shipped import load_shipped_model
from smpler_model.inference.check_crops import load_check_crops
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.network.smpler import Smpler

FOLDER = Path(__file__).parent
MIB = 2**20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and skip them where PyTorch has no GPU.

    Those that compile for minutes come last: if the time is up, the others are done.
    """
    items.sort(key=lambda item: FOLDER in item.path.parents and "compiled" in item.name)
    skip = pytest.mark.skip(reason="needs a GPU that PyTorch can use")
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            if not torch.cuda.is_available():
                item.add_marker(skip)


@contextmanager
def counted_waits() -> Iterator[list[str]]:
    """Fill a list with the places that have waited for the GPU: PyTorch warns each time."""
    places: list[str] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode("default")
    places += [
        f"{each.filename}:{each.lineno}"
        for each in said
        if "called a synchronizing CUDA operation" in str(each.message)
    ]


@pytest.fixture(scope="session")
def device() -> torch.device:
    return torch.device("cuda", 0)


@pytest.fixture
def shipped() -> Smpler:
    return load_shipped_model("smpler_nano")


@pytest.fixture(scope="session")
def crops() -> NDArray[np.uint8]:
    """Twenty crops, each of the four of the self-check shifted by some pixels."""
    side = load_shipped_model("smpler_nano").config.image_size
    four = load_check_crops(side)
    return np.concatenate([np.roll(four, shift, (1, 2)) for shift in range(0, 10, 2)])


@pytest.fixture(scope="session")
def expected(crops: NDArray[np.uint8]) -> Estimates:
    """What the plain network says on the CPU."""
    return Estimator(load_shipped_model("smpler_nano"), backend="plain").estimate(crops)
