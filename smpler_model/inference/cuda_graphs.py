"""Running a network whose graphs are made for fixed numbers of people.

Memory is taken once for each number and used again for every frame. On a GPU a graph is captured
for each, so that a frame costs one launch; elsewhere the network is called.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

BUCKETS = (1, 2, 4, 8, 16)
"""Numbers of people that there is a graph for; others are filled up to the next."""

_WARM_UP_RUNS = 3

Step = Callable[[], None]
Capture = Callable[[Step], Step]


def find_bucket(people: int) -> int:
    """Return the smallest bucket that holds so many people, the largest if none does."""
    return next((bucket for bucket in BUCKETS if bucket >= people), BUCKETS[-1])


def pack(outputs: tuple[Tensor, ...]) -> Tensor:
    """Return all outputs side by side, (b, n), so that one transfer fetches them."""
    return torch.cat([values.flatten(1) for values in outputs], 1)


@contextmanager
def measure_convolutions() -> Iterator[None]:
    """Let cuDNN try its kernels and keep the quickest; what else is chosen of it stays.

    PyTorch's `cudnn.flags` sets all of cuDNN's switches, and its default is to switch cuDNN off.
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
    """Capture nothing: each replay is a call. For devices without graphs."""
    step()
    return step


def capture_graph(step: Step, device: torch.device) -> Step:
    """Capture a step as a CUDA graph of a device, which need not be the current one.

    Source: PyTorch's notes on CUDA graphs: warm up on a side stream, so that libraries choose
    their kernels and take their memory before the capture.
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
    """Memory for one number of people, and what turns its input into its output."""

    host_input: Tensor
    input: Tensor
    output: Tensor
    host_output: Tensor
    replay: Step


class BucketRunner:
    """Runs a network through buckets; not for several threads at once."""

    def __init__(
        self, network: nn.Module, side: int, size: int, device: torch.device, capture: Capture
    ) -> None:
        """Prepare without running anything.

        Args:
            network: (b, side, side, 3) uint8 crops -> tuple of tensors with b rows, on the device.
            side: side of the crops, pixels.
            size: numbers that it returns for each person.
            device: where it runs.
            capture: how a step is made to be replayed.
        """
        self._network, self._device, self._capture = network, device, capture
        self._side, self._size = side, size
        self._buckets: dict[int, Bucket] = {}

    def prepare(self, people: int) -> None:
        """Take memory and capture for so many people, if not yet done."""
        count = find_bucket(people)
        if count not in self._buckets:
            self._buckets[count] = self._build(count)

    def forget(self, people: int) -> None:
        """Give back the memory of buckets for more than so many people."""
        self._buckets = {n: bucket for n, bucket in self._buckets.items() if n <= people}

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run on at most `BUCKETS[-1]` crops (n, side, side, 3); returns (n, size)."""
        n = len(crops)
        self.prepare(n)
        bucket = self._buckets[find_bucket(n)]
        # Rows above n keep the crops of an earlier frame; no person depends on another's row.
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
