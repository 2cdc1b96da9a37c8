"""Runs a network with fixed batch sizes, as CUDA graphs where the device has them.

Memory is allocated once per batch size and reused for every frame. On a GPU, a graph is captured
for each size, so that a frame takes a single launch; on other devices the network is called.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

BUCKETS = (1, 2, 4, 8, 16)
"""Batch sizes; any other number of people is padded to the next."""

_WARM_UP_RUNS = 3

Step = Callable[[], None]
Capture = Callable[[Step], Step]


def find_bucket(people: int) -> int:
    """Return the smallest bucket for this number of people, or the largest if none suffices."""
    return next((bucket for bucket in BUCKETS if bucket >= people), BUCKETS[-1])


def pack(outputs: tuple[Tensor, ...]) -> Tensor:
    """Concatenate all outputs to (b, n), so that a single transfer fetches them."""
    return torch.cat([values.flatten(1) for values in outputs], 1)


@contextmanager
def measure_convolutions() -> Iterator[None]:
    """Let cuDNN benchmark its kernels; all its other settings stay as they are.

    PyTorch's `cudnn.flags` sets all of cuDNN's settings, and its default switches cuDNN off.
    """
    cudnn = torch.backends.cudnn
    with cudnn.flags(
        enabled=cudnn.enabled,
        benchmark=True,
        deterministic=cudnn.deterministic,
        allow_tf32=cudnn.allow_tf32,
    ):
        yield


def call_again(step: Step) -> Step:
    """Return the step itself: for devices without graphs, each replay is a call."""
    step()
    return step


def capture_graph(step: Step, device: torch.device) -> Step:
    """Capture a step as a CUDA graph of a device, which need not be the current one.

    Source: PyTorch's notes on CUDA graphs: warm up on a side stream, so that libraries choose
    their kernels and allocate their memory before the capture.
    """
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with measure_convolutions(), torch.cuda.stream(stream):
            for _ in range(_WARM_UP_RUNS):
                step()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                step()
        torch.cuda.current_stream().wait_stream(stream)

    def replay() -> None:
        with torch.cuda.device(device):
            graph.replay()

    return replay


@dataclass(frozen=True)
class Bucket:
    """Buffers for one batch size, and the step that computes the output from the input."""

    host_input: Tensor
    input: Tensor
    output: Tensor
    host_output: Tensor
    replay: Step


class BucketRunner:
    """Runs a network in buckets of fixed batch sizes; not thread-safe."""

    def __init__(
        self, network: nn.Module, side: int, size: int, device: torch.device, capture: Capture
    ) -> None:
        """Store the arguments; nothing runs yet.

        Args:
            network: (b, side, side, 3) uint8 crops -> tuple of tensors with b rows, on the device.
            side: side of the crops, pixels.
            size: number of output values per person.
            device: device of the network.
            capture: turns a step into one that can be replayed.
        """
        self._network, self._device, self._capture = network, device, capture
        self._side, self._size = side, size
        self._buckets: dict[int, Bucket] = {}

    def prepare(self, people: int) -> None:
        """Allocate memory and capture a graph for this number of people, if not yet done."""
        count = find_bucket(people)
        if count not in self._buckets:
            self._buckets[count] = self._build(count)

    def forget(self, people: int) -> None:
        """Free the buckets for more than this number of people."""
        self._buckets = {n: bucket for n, bucket in self._buckets.items() if n <= people}

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run on at most `BUCKETS[-1]` crops (n, side, side, 3); return (n, size)."""
        n = len(crops)
        self.prepare(n)
        bucket = self._buckets[find_bucket(n)]
        # Rows from n on keep the crops of an earlier frame; rows do not affect each other.
        bucket.host_input.numpy()[:n] = crops
        bucket.input.copy_(bucket.host_input, non_blocking=True)
        bucket.replay()
        bucket.host_output.copy_(bucket.output, non_blocking=True)
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
        return bucket.host_output.numpy()[:n].copy()

    def _build(self, count: int) -> Bucket:
        pinned = self._device.type == "cuda"
        shape = (count, self._side, self._side, 3)
        host_input = torch.zeros(shape, dtype=torch.uint8, pin_memory=pinned)
        host_output = torch.zeros((count, self._size), pin_memory=pinned)
        images = torch.zeros_like(host_input, device=self._device)
        output = torch.zeros_like(host_output, device=self._device)

        def step() -> None:
            output.copy_(pack(self._network(images)))

        return Bucket(host_input, images, output, host_output, self._capture(step))
