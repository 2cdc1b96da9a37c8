import logging
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from smpler_model.assembly import build_pipeline
from smpler_model.checkpoints.shipped import load_shipped_model
from smpler_model.inference import backends
from smpler_model.inference import estimator as estimator_module
from smpler_model.inference.backends import Backend, Choice, choose
from smpler_model.inference.check_crops import load_check_crops
from smpler_model.inference.cuda_graphs import PixelArray
from smpler_model.inference.estimator import Estimates, Estimator
from smpler_model.inference.fast_network import OUTPUT_SHAPES, FastSmpler
from smpler_model.inference.runners import Runner
from smpler_model.inference.self_check import (
    SelfCheckError,
    build_checked_estimator,
    measure_deviation,
)
from smpler_model.network.smpler import Smpler
from smpler_model.settings.pipeline import PipelineSettings
from tests.full_memory import ask_for_too_much

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
# OpenVINO leaves the process that frees its networks a signal stack that is too small.
OPENVINO = pytest.param("openvino", marks=pytest.mark.own_process)

Run = Callable[[Runner, PixelArray], NDArray[np.float32]]


@pytest.fixture(scope="module")
def shipped() -> Smpler:
    return load_shipped_model("smpler_nano")


class Faulty:
    """A runner with a fault: what it is given is run, and something goes wrong."""

    def __init__(self, inner: Runner, fault: Run) -> None:
        self._inner, self._fault = inner, fault

    def release(self) -> None:
        self._inner.release()

    def run(self, crops: PixelArray) -> NDArray[np.float32]:
        return self._fault(self._inner, crops)


def turned(inner: Runner, crops: PixelArray) -> NDArray[np.float32]:
    """Joints of the last person turn by a degree about their own axes."""
    found = inner.run(crops)
    angle = np.radians(1)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    rotations = found[-1, : 24 * 9].reshape(24, 3, 3)
    rotations[:] = rotations @ np.vstack([turn, [0, 0, 1]]).astype(np.float32)
    return found


def shifted(inner: Runner, crops: PixelArray) -> NDArray[np.float32]:
    """Keypoints are a pixel aside, of a crop of 128."""
    found = inner.run(crops)
    start = sum(int(np.prod(OUTPUT_SHAPES[name])) for name in list(OUTPUT_SHAPES)[:4])
    found[:, start : start + 48] += 2 / 128
    return found


def earlier(inner: Runner, crops: PixelArray) -> NDArray[np.float32]:
    """Joints before the last refinement are a decimetre aside."""
    found = inner.run(crops)
    found[:, -24 * 3 :: 3] += 0.1
    return found


def not_finite(inner: Runner, crops: PixelArray) -> NDArray[np.float32]:
    found = inner.run(crops)
    found[0, 5] = np.nan
    return found


def refuses(inner: Runner, crops: PixelArray) -> NDArray[np.float32]:
    raise RuntimeError("CUDNN_STATUS_NOT_SUPPORTED\nand a page of advice")


def needs_memory(inner: Runner, crops: PixelArray) -> NDArray[np.float32]:
    ask_for_too_much()
    return inner.run(crops)


build_once = cache(backends.build_runner)
"""Builds each runner when it is first needed: what is broken is what wraps it."""


def break_backends(patch: pytest.MonkeyPatch, fault: Run, *broken: Backend) -> None:
    """Give some backends a fault."""

    def build(model: Smpler, choice: Choice) -> Runner:
        runner = build_once(model, choice)
        return Faulty(runner, fault) if choice.backend in broken else runner

    patch.setattr(estimator_module, "build_runner", build)


def break_on_cuda(patch: pytest.MonkeyPatch) -> None:
    """Let no backend be built on a GPU."""

    def build(model: Smpler, choice: Choice) -> Runner:
        if choice.device.type == "cuda":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return build_once(model, choice)

    patch.setattr(estimator_module, "build_runner", build)


def choose_here(model: Smpler, backend: Backend = "auto") -> Choice:
    return choose(model, CPU, backend, "float32")


@pytest.mark.parametrize("backend", ["plain", "eager", "onnxruntime", OPENVINO])
def test_what_works_is_taken_without_a_word(shipped: Smpler, backend: Backend) -> None:
    checked = build_checked_estimator(shipped, choose_here(shipped, backend), 2)
    assert checked.estimator.backend == backend
    assert checked.deviation.degrees < 1e-3
    assert checked.deviation.mm < 1e-2
    assert checked.one_person_ms > 0
    assert checked.warning == ""
    assert f"runs on cpu with {backend} in float32" in checked.summary


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (turned, r"eager in float32 is 1 degrees and \S+ mm from the plain network"),
        (shifted, r"eager in float32 is \S+ degrees and 2\d mm from the plain network"),
        (earlier, r"eager in float32 is \S+ degrees and 1e\+02 mm from the plain network"),
        (not_finite, "eager in float32 is nan degrees"),
        (refuses, "eager in float32 fails: RuntimeError: CUDNN_STATUS_NOT_SUPPORTED;"),
        (needs_memory, "eager in float32 fails: DeviceMemoryError: the network needs more"),
    ],
)
def test_what_fails_gives_way_to_the_next(
    shipped: Smpler, monkeypatch: pytest.MonkeyPatch, fault: Run, words: str
) -> None:
    break_backends(monkeypatch, fault, "eager")
    checked = build_checked_estimator(shipped, choose_here(shipped, "eager"), 4)
    assert checked.estimator.backend == "plain"
    assert checked.deviation.is_small
    (reason,) = checked.refused
    assert reason in checked.warning
    assert re.search(words, checked.warning), checked.warning


def test_the_plain_network_is_the_last_resort(
    shipped: Smpler, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_backends(monkeypatch, turned, "onnxruntime", "eager")
    checked = build_checked_estimator(shipped, choose_here(shipped), 4)
    assert checked.estimator.backend == "plain"
    assert [reason.split()[0] for reason in checked.refused] == ["onnxruntime", "eager"]


def test_an_error_says_what_became_of_each(
    shipped: Smpler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(model: Smpler, choice: Choice) -> Runner:
        nonlocal built
        built += 1
        runner = build_once(model, choice)
        return runner if built == 1 else Faulty(runner, refuses)  # the first is the reference

    built = 0
    monkeypatch.setattr(estimator_module, "build_runner", build)
    with pytest.raises(SelfCheckError, match=r"got eager in float32 fails: .*; plain in f"):
        build_checked_estimator(shipped, choose_here(shipped, "eager"), 1)


def test_memory_that_cannot_be_given_back_fails_nothing(
    shipped: Smpler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a capture that failed, or an error that CUDA does not recover from."""

    def refuse() -> None:
        raise RuntimeError(
            "captures_underway.empty() INTERNAL ASSERT FAILED\nand a page of advice"
        )

    monkeypatch.setattr(torch.cuda, "empty_cache", refuse)
    choice = Choice("cuda_graph", torch.device("cuda"), half=True)
    break_on_cuda(monkeypatch)
    with caplog.at_level(logging.WARNING), pytest.raises(SelfCheckError) as caught:
        build_checked_estimator(shipped, choice, 1)
    tried = ("cuda_graph in half precision", "cuda_graph in float32", "eager in f", "plain in f")
    assert all(name in str(caught.value) for name in tried)
    reasons = [record.getMessage() for record in caplog.records]
    assert len(reasons) == len(tried)
    assert reasons[0].endswith(
        "could not be freed: captures_underway.empty() INTERNAL ASSERT FAILED"
    )


def test_graphs_where_there_is_no_gpu(shipped: Smpler) -> None:
    """A backend that cannot even be built."""
    checked = build_checked_estimator(shipped, Choice("cuda_graph", CPU, half=True), 4)
    assert checked.estimator.backend == "eager"
    half, whole = checked.refused
    assert half.startswith("cuda_graph in half precision fails: ValueError: backend 'cuda_graph'")
    assert whole.startswith("cuda_graph in float32 fails: ")


@pytest.mark.parametrize(
    ("backend", "half", "then"),
    [
        ("cuda_graph", True, ["cuda_graph", "eager", "plain"]),
        ("cuda_graph", False, ["eager", "plain"]),
        ("compiled", True, ["compiled", "eager", "plain"]),
        ("openvino", True, ["openvino", "eager", "plain"]),
        ("onnxruntime", False, ["eager", "plain"]),
        ("eager", True, ["eager", "plain"]),
        ("eager", False, ["plain"]),
        ("plain", False, []),
    ],
)
def test_what_comes_next(backend: Backend, half: bool, then: list[Backend]) -> None:
    fallbacks = Choice(backend, CPU, half).fallbacks()
    assert [choice.backend for choice in fallbacks] == then
    assert not any(choice.half for choice in fallbacks)


def test_a_graph_error_is_named_by_its_cause(
    shipped: Smpler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def captures(inner: Runner, crops: PixelArray) -> NDArray[np.float32]:
        try:
            raise RuntimeError("operation not permitted when stream is capturing")
        finally:
            raise RuntimeError("the capture ended with an error")

    break_backends(monkeypatch, captures, "eager")
    checked = build_checked_estimator(shipped, choose_here(shipped, "eager"), 1)
    assert "RuntimeError: operation not permitted when stream is capturing" in checked.warning


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_passes_with_the_shipped_model(shipped: Smpler, dtype: torch.dtype) -> None:
    """Float16 is what a GPU gets: the check must not refuse it."""
    crops = load_check_crops(shipped.config.image_size)
    network = FastSmpler(shipped).halve(dtype)
    with torch.inference_mode():
        outputs = [values.double().numpy() for values in network(torch.from_numpy(crops))]
    expected = Estimator(shipped, backend="plain").estimate(crops)
    deviation = measure_deviation(Estimates(*outputs), expected)
    assert deviation.is_small, deviation
    assert deviation.degrees > 0


@pytest.mark.parametrize("side", [128, 160, 224])
def test_crops_come_in_every_size(side: int) -> None:
    crops = load_check_crops(side)
    assert (crops.shape, crops.dtype) == ((4, side, side, 3), np.uint8)
    assert crops.std((1, 2, 3)).min() > 20  # somebody before something


def test_the_log_says_it_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = PipelineSettings(detector="full_image", device="cpu")
    break_backends(monkeypatch, refuses, "onnxruntime")
    with caplog.at_level(logging.WARNING):
        pipeline = build_pipeline(settings)
        quiet = build_pipeline(replace(settings, backend="eager"))
    assert (pipeline.estimator.backend, quiet.estimator.backend) == ("eager", "eager")
    (record,) = caplog.records
    assert "refused by the self-check: onnxruntime in float32 fails: " in record.getMessage()
