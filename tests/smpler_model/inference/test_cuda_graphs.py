from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smpler_model.inference.cuda_graphs import (
    BUCKETS,
    BucketRunner,
    GraphCapture,
    Step,
    call_again,
    find_bucket,
    measure_convolutions,
)

SIDE, SIZE = 4, 3
CPU = torch.device("cpu")


class Sums(nn.Module):
    """Computes three sums per crop, in two tensors, and records its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        self.batches.append(len(crops))
        flat = crops.float().flatten(1)
        return flat.sum(1, keepdim=True), torch.stack((flat[:, 0], flat[:, -1]), 1)[:, :, None]


def crops(people: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (people, SIDE, SIDE, 3), np.uint8)


def expected(of: NDArray[np.uint8]) -> NDArray[np.float32]:
    flat = of.reshape(len(of), -1).astype(np.float32)
    return np.stack((flat.sum(1), flat[:, 0], flat[:, -1]), 1)


@pytest.mark.parametrize(
    ("people", "bucket"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (9, 16), (16, 16), (17, 16)]
)
def test_the_smallest_sufficient_bucket_is_chosen(people: int, bucket: int) -> None:
    assert find_bucket(people) == bucket


@pytest.mark.parametrize("people", range(1, BUCKETS[-1] + 1))
def test_padding_rows_are_not_returned(people: int) -> None:
    network = Sums()
    runner = BucketRunner(network, SIDE, SIZE, CPU, call_again)
    found = runner.run(crops(people))
    np.testing.assert_array_equal(found, expected(crops(people)))
    assert set(network.batches) == {find_bucket(people)}


def test_frames_do_not_affect_each_other() -> None:
    runner = BucketRunner(Sums(), SIDE, SIZE, CPU, call_again)
    kept = []
    for seed, people in enumerate((4, 3, 1, 4, 2, 3)):
        kept.append((runner.run(crops(people, seed)), expected(crops(people, seed))))
    for found, wanted in kept:  # earlier results are not overwritten
        np.testing.assert_array_equal(found, wanted)


def test_each_bucket_is_captured_once_and_replayed_for_every_frame() -> None:
    captured: list[int] = []
    replayed: list[int] = []

    def capture(step: Step) -> Step:
        step()
        captured.append(1)

        def replay() -> None:
            replayed.append(1)
            step()

        return replay

    runner = BucketRunner(Sums(), SIDE, SIZE, CPU, capture)
    for people in (3, 4, 1, 3):
        runner.run(crops(people))
    assert (len(captured), len(replayed)) == (2, 4)


@pytest.mark.parametrize("tf32", [True, False])
def test_kernels_are_benchmarked_and_cudnn_settings_restored(tf32: bool) -> None:
    cudnn = torch.backends.cudnn
    names = ("enabled", "benchmark", "deterministic", "allow_tf32")
    usual = {name: getattr(cudnn, name) for name in names}
    try:
        cudnn.allow_tf32 = tf32
        with measure_convolutions():
            inside = {name: getattr(cudnn, name) for name in names}
        after = {name: getattr(cudnn, name) for name in names}
    finally:
        cudnn.allow_tf32 = usual["allow_tf32"]
    assert inside == usual | {"allow_tf32": tf32, "benchmark": True, "enabled": True}
    assert after == usual | {"allow_tf32": tf32}


def test_prepare_captures_before_the_first_frame_and_release_frees_memory() -> None:
    network = Sums()
    runner = BucketRunner(network, SIDE, SIZE, CPU, call_again)
    for people in BUCKETS:
        runner.prepare(people)
    assert network.batches == list(BUCKETS)
    runner.release()
    for people in BUCKETS:
        runner.prepare(people)
    assert network.batches == [*BUCKETS, *BUCKETS]


class FakeGraph:
    """Stands for a graph of CUDA."""

    def __init__(self) -> None:
        self.used = 0

    def reset(self) -> None:
        """Know of nothing to undo."""

    def replay(self) -> None:
        """Launch nothing."""

    def pool(self) -> int:
        return self.used


class FakeCuda:
    """Stands for what PyTorch has of a GPU: an allocator, and graphs that record into its pools.

    Args:
        ends: whether a capture that fails ends its recording, as from PyTorch 2.13 on.
        name: that of the function with which it can be ended from outside.
    """

    def __init__(self, patch: pytest.MonkeyPatch, *, ends: bool, name: str) -> None:
        self.ends, self.recording = ends, set[int]()
        self.uses = Counter[int]()  # of pools
        stream = SimpleNamespace(wait_stream=lambda other: None)
        for attribute, value in {
            "CUDAGraph": FakeGraph,
            "Stream": lambda device: stream,
            "current_device": lambda: 0,
            "current_stream": lambda: stream,
            "device": nullcontext,
            "empty_cache": self.empty_cache,
            "graph": self.graph,
            "graph_pool_handle": lambda: len(self.uses) + 1,
            "stream": nullcontext,
        }.items():
            patch.setattr(torch.cuda, attribute, value)
        for each in ("_cuda_endAllocateToPool", "_cuda_endAllocateCurrentStreamToPool"):
            patch.delattr(torch._C, each, raising=False)
        patch.setattr(torch._C, name, self.end, raising=False)
        patch.setattr(torch._C, "_cuda_releasePool", self.release, raising=False)

    @contextmanager
    def graph(self, graph: FakeGraph, *, pool: int, **_: object) -> Iterator[None]:
        self.empty_cache()
        self.recording.add(pool)
        self.uses[pool] += 1
        try:
            yield
        except RuntimeError:
            if self.ends:
                self.end(0, pool)
            raise RuntimeError("the capture was invalidated") from None
        self.end(0, pool)
        graph.used = pool

    def empty_cache(self) -> None:
        if self.recording:
            raise RuntimeError("captures_underway.empty() INTERNAL ASSERT FAILED")

    def end(self, device: int, pool: int) -> None:
        if pool not in self.recording:
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.recording.remove(pool)

    def release(self, device: int, pool: int) -> None:
        self.uses[pool] -= 1


@pytest.mark.parametrize(
    ("ends", "name"),
    [
        (False, "_cuda_endAllocateToPool"),
        (False, "_cuda_endAllocateCurrentStreamToPool"),
        (True, "_cuda_endAllocateToPool"),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_capture_that_fails_leaves_the_allocator_alone(
    monkeypatch: pytest.MonkeyPatch, ends: bool, name: str, alone: bool
) -> None:
    cuda = FakeCuda(monkeypatch, ends=ends, name=name)
    capture = GraphCapture(torch.device("cuda"))
    kept = [] if alone else [capture(lambda: None)]

    def fails() -> None:
        if cuda.recording:
            raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="invalidated"):
        capture(fails)
    assert not cuda.recording
    assert sum(cuda.uses.values()) == len(kept) + ends  # PyTorch's own to release
    torch.cuda.empty_cache()
    capture(lambda: None)()
