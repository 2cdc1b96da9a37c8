"""A GPU's memory: when it runs out, and over many frames."""

import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from smpler_model.inference.backends import choose
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.inference.self_check import (
    SelfCheckError,
    build_checked_estimator,
    measure_deviation,
)
from smpler_model.network.smpler import Smpler
from tests.gpu.conftest import MIB


@pytest.fixture(autouse=True)
def whole_memory(device: torch.device) -> Iterator[None]:
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, device)
    gc.collect()
    torch.cuda.empty_cache()


def leave(mib: int, device: torch.device) -> None:
    """Let PyTorch take so much more memory."""
    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    allowed = torch.cuda.memory_reserved(device) + mib * MIB
    torch.cuda.set_per_process_memory_fraction(allowed / total, device)


def test_too_little_for_anything(shipped: Smpler, device: torch.device) -> None:
    leave(2, device)
    with pytest.raises(SelfCheckError, match="the network needs more memory than cuda:0 has left"):
        build_checked_estimator(shipped, choose(shipped, device), 16)


def test_too_little_for_all_at_configure(
    shipped: Smpler,
    device: torch.device,
    crops: NDArray[np.uint8],
    expected: Estimates,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever is left, either fewer people run at once or another backend runs: all are right."""
    for mib in (60, 120, 240):
        leave(mib, device)
        with caplog.at_level(logging.WARNING):
            made = try_to_build(shipped, device)
        if isinstance(made, SelfCheckError):
            assert "needs more memory" in str(made)
        else:
            assert measure_deviation(made.estimate(crops), expected).is_small
        del made


def try_to_build(model: Smpler, device: torch.device) -> Estimator | SelfCheckError:
    try:
        return build_checked_estimator(model, choose(model, device), 16).estimator
    except SelfCheckError as error:
        return error


def test_too_little_for_many_people_in_a_frame(
    shipped: Smpler,
    device: torch.device,
    crops: NDArray[np.uint8],
    expected: Estimates,
    caplog: pytest.LogCaptureFixture,
) -> None:
    estimator = Estimator(shipped, device, backend="eager", precision="float32")
    estimator.estimate(crops[:1])
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    estimator.estimate(crops[:2])
    needed = (torch.cuda.max_memory_allocated(device) - before) / MIB
    leave(int(3 * needed), device)
    with caplog.at_level(logging.WARNING):
        found = estimator.estimate(crops[:16])
    assert "people do not fit into the memory of cuda:0" in caplog.text
    assert measure_deviation(found, expected[:16]).degrees < 0.005


def test_graphs_are_captured_anew_after_memory_was_given_back(
    shipped: Smpler, device: torch.device, crops: NDArray[np.uint8], expected: Estimates
) -> None:
    estimator = Estimator(shipped, device, backend="cuda_graph", precision="half")
    estimator.warm_up(16)
    gc.collect()
    torch.cuda.empty_cache()
    held = torch.cuda.memory_reserved(device)
    estimator._runner.release()
    gc.collect()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved(device) < held
    for people in (3, 16):
        found = estimator.estimate(crops[:people])
        assert measure_deviation(found, expected[:people]).is_small


def test_memory_is_flat_over_a_thousand_frames(
    shipped: Smpler, device: torch.device, crops: NDArray[np.uint8]
) -> None:
    estimator = Estimator(shipped, device)
    estimator.warm_up(16)
    rng = np.random.default_rng(0)

    def run(frames: int) -> tuple[int, int, int]:
        for people in rng.integers(1, 17, frames).tolist():
            found = estimator.estimate(crops[:people])
            estimator.vertices(found.rotations[:2], found.betas[:2])
        gc.collect()
        return (
            torch.cuda.memory_allocated(device),
            torch.cuda.memory_reserved(device),
            resident_kib(),
        )

    allocated, reserved, resident = run(100)
    later = run(900)
    assert later[:2] == (allocated, reserved)
    assert later[2] - resident < 8 * 1024


def resident_kib() -> int:
    """Memory that the process holds now."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
