"""Running a network whose graphs are made for fixed numbers of people.

Memory is taken once for each number and used again for every frame. On a GPU a graph is captured
for each, so that a frame costs one launch; elsewhere the network is called.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smpler_model.inference.float32 import whole_float32

BUCKETS = (1, 2, 4, 8, 16)
"""Batch sizes with a graph of their own; other sizes are padded to the next."""

_WARM_UP_RUNS = 3

Step = Callable[[], None]
Capture = Callable[[Step], Step]
PixelArray: TypeAlias = NDArray[np.uint8] | Tensor
"""Crops (n, side, side, 3), uint8 RGB, in the host's memory or on the network's device."""


def find_bucket(people: int) -> int:
    """Return the smallest bucket that holds so many people, the largest if none does."""
    return next((bucket for bucket in BUCKETS if bucket >= people), BUCKETS[-1])


def pack(outputs: tuple[Tensor, ...]) -> Tensor:
    """Return all outputs side by side, (b, n), so that one transfer fetches them."""
    return torch.cat([values.flatten(1) for values in outputs], 1)


@contextmanager
def measure_convolutions() -> Iterator[None]:
    """Let cuDNN time its kernels and keep the fastest.

    Not by PyTorch's `cudnn.flags`, which sets all of cuDNN's switches; its default switches cuDNN
    off.
    """
    cudnn = torch.backends.cudnn
    usual = cudnn.benchmark
    cudnn.benchmark = True
    try:
        yield
    finally:
        cudnn.benchmark = usual


def call_again(step: Step) -> Step:
    """Capture nothing: each replay is a call. For devices without graphs."""

    def call() -> None:
        with whole_float32():
            step()

    call()
    return call


class GraphCapture:
    """Captures steps as CUDA graphs of one device, which need not be the current one.

    All graphs use one memory pool: one after another is replayed, on one stream, and what a step
    reads and leaves is outside of the pool, so that each may overwrite what others computed.

    Source: PyTorch's notes on CUDA graphs. Libraries choose kernels and take their memory before
    the capture, on its stream; captures into one pool share the stream, too.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graphs: WeakSet[torch.cuda.CUDAGraph] = WeakSet()  # captured, and still in use

    def __call__(self, step: Step) -> Step:
        """Run a step some times, capture it, and return what replays it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device), whole_float32(), measure_convolutions():
            self._stream.wait_stream(torch.cuda.current_stream())
            # Restores the current stream even if the capture fails to end, unlike `cuda.graph`.
            with torch.cuda.stream(self._stream):
                for _ in range(_WARM_UP_RUNS):
                    step()
                # Other threads may use the GPU meanwhile, for whatever else the process does.
                with torch.cuda.graph(
                    graph,
                    pool=self._pool(),
                    stream=self._stream,
                    capture_error_mode="thread_local",
                ):
                    step()
            torch.cuda.current_stream().wait_stream(self._stream)
        self._graphs.add(graph)

        def replay() -> None:
            with torch.cuda.device(self._device):
                graph.replay()

        return replay

    def _pool(self) -> Any:  # noqa: ANN401 - PyTorch does not publish the type
        """Return the pool of the graphs in use; a new one where there are none.

        PyTorch gives up a pool with its last graph, also if that graph's capture failed, and
        refuses to capture into it again.
        """
        graph = next(iter(self._graphs), None)
        return torch.cuda.graph_pool_handle() if graph is None else graph.pool()


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

    def release(self) -> None:
        """Give back all buckets' memory, which they share; they are built again when needed."""
        self._buckets.clear()

    def run(self, crops: PixelArray) -> NDArray[np.float32]:
        """Run on at most `BUCKETS[-1]` crops (n, side, side, 3); returns (n, size).

        The device is waited for once, for the result.
        """
        n = len(crops)
        self.prepare(n)
        bucket = self._buckets[find_bucket(n)]
        # Rows above n keep the crops of an earlier frame; no person depends on another's row.
        if isinstance(crops, Tensor):
            bucket.input[:n].copy_(crops)
        else:
            bucket.host_input.numpy()[:n] = crops
            bucket.input[:n].copy_(bucket.host_input[:n], non_blocking=True)
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
