"""Runs a network with fixed batch sizes, as CUDA graphs where the device has them.

Memory is allocated once per batch size and reused for every frame. On a GPU, a graph is captured
for each size, so that a frame takes a single launch; on other devices the network is called.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smpler_model.inference.float32 import whole_float32

logger = logging.getLogger(__name__)

BUCKETS = (1, 2, 4, 8, 16)
"""Batch sizes; any other number of people is padded to the next."""

_WARM_UP_RUNS = 3

Step = Callable[[], None]
Capture = Callable[[Step], Step]
PixelArray: TypeAlias = NDArray[np.uint8] | Tensor
"""Crops (n, side, side, 3), uint8 RGB, in the host's memory or on the network's device."""


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
    usual = cudnn.benchmark
    cudnn.benchmark = True
    try:
        yield
    finally:
        cudnn.benchmark = usual


def call_again(step: Step) -> Step:
    """Capture nothing: for devices without graphs, each replay is a call."""

    def call() -> None:
        with whole_float32():
            step()

    call()
    return call


class GraphCapture:
    """Captures steps as CUDA graphs of one device, which need not be the current one.

    All graphs share one memory pool. They are replayed one after another on one stream, and a
    step's inputs and outputs lie outside the pool, so each may overwrite what others computed.

    Source: PyTorch's notes on CUDA graphs. Warm up on the stream of the capture, so that
    libraries choose their kernels and allocate their memory before it; captures into one pool
    share a stream.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graphs: WeakSet[torch.cuda.CUDAGraph] = WeakSet()  # captured, and still in use

    def __call__(self, step: Step) -> Step:
        """Warm a step up, capture it, and return a function that replays it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device), whole_float32(), measure_convolutions():
            self._stream.wait_stream(torch.cuda.current_stream())
            # Restores the current stream even if the capture fails to end, unlike `cuda.graph`.
            with torch.cuda.stream(self._stream):
                for _ in range(_WARM_UP_RUNS):
                    step()
                self._record(graph, step)
            torch.cuda.current_stream().wait_stream(self._stream)
        self._graphs.add(graph)

        def replay() -> None:
            with torch.cuda.device(self._device):
                graph.replay()

        return replay

    def _record(self, graph: torch.cuda.CUDAGraph, step: Step) -> None:
        """Capture a step on the current stream; if it fails, undo what that leaves behind."""
        pool = self._pool()
        try:
            # Other threads may use the GPU meanwhile, for whatever else the process does.
            with torch.cuda.graph(
                graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                step()
        except BaseException:
            _abandon(graph, pool)
            raise

    def _pool(self) -> Any:  # noqa: ANN401 - PyTorch does not publish the type
        """Return the pool of the graphs in use; a new one where there are none.

        PyTorch gives up a pool with its last graph, also if that graph's capture failed, and
        refuses to capture into it again.
        """
        graph = next(iter(self._graphs), None)
        return torch.cuda.graph_pool_handle() if graph is None else graph.pool()


def _abandon(graph: torch.cuda.CUDAGraph, pool: Any) -> None:  # noqa: ANN401 - as above
    """Let PyTorch forget a capture that failed.

    Up to PyTorch 2.12 its allocator goes on recording into the pool, and as long as it does it
    frees no memory: it does nothing or raises. Newer ones end that, and refuse to do it again;
    then the pool is theirs to release, too.

    Source: pytorch/pytorch#180395 and #190348, which mended that there.
    """
    with suppress(RuntimeError):  # what it does not know of is undone below
        graph.reset()
    names = ("_cuda_endAllocateToPool", "_cuda_endAllocateCurrentStreamToPool")  # before 2.8
    ends = [getattr(torch._C, name) for name in names if hasattr(torch._C, name)]
    if not ends:
        return
    device = torch.cuda.current_device()
    try:
        ends[0](device, pool)
        torch._C._cuda_releasePool(device, pool)
    except RuntimeError as error:
        logger.debug("PyTorch ended the failed capture itself: %s", error)


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

    def release(self) -> None:
        """Free all buckets, which share their memory; they are built again when needed."""
        self._buckets.clear()

    def run(self, crops: PixelArray) -> NDArray[np.float32]:
        """Run on at most `BUCKETS[-1]` crops (n, side, side, 3); return (n, size).

        This waits for the device once, for the result.
        """
        n = len(crops)
        self.prepare(n)
        bucket = self._buckets[find_bucket(n)]
        # Rows from n on keep the crops of an earlier frame; rows do not affect each other.
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
