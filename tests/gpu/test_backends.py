"""Every backend and every bucket gives what the plain network gives on a CPU."""

import subprocess
import sys
import threading
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.networks import build_seeded_model
from smpler_model.inference.backends import Backend, Precision, choose
from smpler_model.inference.cuda_graphs import BUCKETS, GraphCapture, measure_convolutions
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.inference.folding import RectifiedConvolution
from smpler_model.inference.self_check import Checked, build_checked_estimator, measure_deviation
from smpler_model.network.smpler import Smpler

NUMBERS = (1, 2, 3, 5, 8, 9, 16, 17, 20)
"""Full buckets, padded ones, and more people than the largest holds."""

COMPILED_NUMBERS = (1, 7)
"""Of `compiled`, a full bucket and a padded one: compiling for each takes long."""

LIMITS: dict[Precision, tuple[float, float]] = {"float32": (0.005, 0.05), "half": (0.5, 2.0)}
"""Largest degrees and millimetres; TF32 would be a hundred times farther away than float32."""


@pytest.mark.parametrize(
    ("backend", "precision"),
    [
        ("plain", "float32"),
        *product(("eager", "cuda_graph", "compiled"), ("float32", "half")),
    ],
)
def test_backends_agree_with_the_plain_network(
    shipped: Smpler,
    device: torch.device,
    crops: NDArray[np.uint8],
    expected: Estimates,
    backend: Backend,
    precision: Precision,
) -> None:
    most_degrees, most_mm = LIMITS[precision]
    estimator = Estimator(shipped, device, backend=backend, precision=precision)
    for people in COMPILED_NUMBERS if backend == "compiled" else NUMBERS:
        found = measure_deviation(estimator.estimate(crops[:people]), expected[:people])
        assert found.degrees < most_degrees, people
        assert found.mm < most_mm, people


@pytest.mark.parametrize("name", ["smpler_w32", "smpler_nano"])
def test_other_networks_agree_in_float32(device: torch.device, name: str) -> None:
    model = build_seeded_model(name)
    side = model.config.image_size
    crops = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)
    expected = Estimator(model, backend="plain").estimate(crops)
    found = Estimator(model, device, backend="cuda_graph", precision="float32").estimate(crops)
    np.testing.assert_allclose(found.joints_m, expected.joints_m, atol=1e-3)
    np.testing.assert_allclose(found.rotations, expected.rotations, atol=5e-3)


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_the_self_check_takes_graphs(
    shipped: Smpler, device: torch.device, precision: Precision
) -> None:
    choice = choose(shipped, device, "auto", precision)
    checked: Checked = build_checked_estimator(shipped, choice, BUCKETS[-1])
    assert checked.warning == ""
    assert checked.estimator.backend == "cuda_graph"
    assert checked.estimator.choice.half == (precision == "auto")


def test_people_do_not_depend_on_one_another(
    shipped: Smpler, device: torch.device, crops: NDArray[np.uint8]
) -> None:
    estimator = Estimator(shipped, device, backend="cuda_graph", precision="float32")
    together = estimator.estimate(crops[:7])
    for row in range(7):
        alone = estimator.estimate(crops[row : row + 1])
        assert measure_deviation(alone, together[row : row + 1]).degrees < 0.005


def test_graphs_of_any_order_share_a_pool(
    shipped: Smpler, device: torch.device, crops: NDArray[np.uint8], expected: Estimates
) -> None:
    """Smaller graphs after larger ones and the other way round, each replayed again and again."""
    estimator = Estimator(shipped, device, backend="cuda_graph", precision="float32")
    for people in (1, 16, 2, 8, 4, 16, 1, 4, 2, 8):
        found = estimator.estimate(crops[:people])
        assert measure_deviation(found, expected[:people]).degrees < 0.005


def test_another_thread_may_use_the_gpu_while_a_graph_is_captured(
    shipped: Smpler, device: torch.device, crops: NDArray[np.uint8], expected: Estimates
) -> None:
    stop, done = threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            done.append(float(torch.ones(1 << 22, device=device).sum()))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        estimator = Estimator(shipped, device, backend="cuda_graph", precision="float32")
        estimator.warm_up(4)
    finally:
        stop.set()
        thread.join()
    assert done
    assert measure_deviation(estimator.estimate(crops[:4]), expected[:4]).degrees < 0.005


def test_captures_that_fail_in_a_process_of_their_own() -> None:
    """What they leave behind depends on PyTorch; no other test is to meet it."""
    options = ("-o", "filterwarnings=default", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "-m", "own_process", *options, __file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.own_process
def test_a_capture_that_fails_leaves_the_next_one_alone(device: torch.device) -> None:
    capture = GraphCapture(device)
    value = torch.zeros(1, device=device)

    def waits() -> None:
        value.add_(1)
        value.item()  # not permitted while a graph is captured

    with pytest.raises(RuntimeError):
        capture(waits)
    torch.cuda.empty_cache()
    replay = capture(lambda: value.add_(1) and None)
    before = value.item()
    replay()
    assert value.item() == before + 1
    assert torch.cuda.current_stream(device) == torch.cuda.default_stream(device)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_what_memory_held_before_does_not_matter(device: torch.device, dtype: torch.dtype) -> None:
    """PyTorch gives cuDNN the output, not yet written, as a residual that counts nothing."""
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 32, 3, padding=1).to(device, dtype, memory_format=torch.channels_last)
    images = torch.randn(2, 32, 28, 28, device=device).to(dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    rectified = RectifiedConvolution(layer)
    with torch.inference_mode(), measure_convolutions():
        rectified(images)  # chooses a kernel
        for _ in range(3):
            held = [torch.full_like(images, torch.nan) for _ in range(64)]
            held.clear()
            assert bool(torch.empty_like(images).isnan().any())  # what the output is to lie in
            assert bool(rectified(images).isfinite().all())
    assert rectified._has_kernel


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("has_residual", [True, False])
def test_one_kernel_is_a_convolution_a_sum_and_a_maximum(
    device: torch.device, dtype: torch.dtype, has_residual: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 64, 3, padding=1).to(device, dtype, memory_format=torch.channels_last)
    images, residual = (
        torch.randn(2, channels, 28, 28, device=device)
        .to(dtype)
        .contiguous(memory_format=torch.channels_last)
        for channels in (32, 64)
    )
    with torch.inference_mode(), measure_convolutions():
        found = RectifiedConvolution(layer)(images, residual if has_residual else None)
        exact = layer.double()(images.double()) + (residual.double() if has_residual else 0)
    tolerance = 2e-2 if dtype == torch.float16 else 1e-2  # TF32 is allowed here
    torch.testing.assert_close(found.double(), exact.relu(), atol=tolerance, rtol=tolerance)
