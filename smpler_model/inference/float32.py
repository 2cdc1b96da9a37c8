"""Exact float32: without TF32, which rounds the factors of products to 10 bits.

PyTorch's convolutions on a GPU use TF32 unless told otherwise, and an application may have allowed
it in matrix products. Switches are process-wide, so they are set for as long as a network runs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch

_Switch = tuple[object, str]


@contextmanager
def whole_float32() -> Iterator[None]:
    """Switch TF32 and the like off; afterwards everything is as the application had it.

    CUDA graphs keep the kernels that were chosen when they were captured.
    """
    newer = _newer_switches()
    usual = [(*switch, getattr(*switch)) for switch in newer]
    restore_older = _set_older_switches()
    try:
        for holder, name in newer:  # which setting the older ones has changed
            setattr(holder, name, "ieee")
        yield
    finally:
        for restore in restore_older:
            restore()
        for holder, name, value in usual:
            setattr(holder, name, value)


def _newer_switches() -> list[_Switch]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    if not hasattr(cudnn, "conv"):  # before PyTorch 2.9
        return []
    return [(holder, "fp32_precision") for holder in (cudnn.conv, cudnn.rnn, matmul)]


def _set_older_switches() -> list[Callable[[], None]]:
    """Set those that can be read, and return what restores them.

    PyTorch refuses to read an older switch where the application uses newer ones; those decide
    then.
    """
    restore: list[Callable[[], None]] = []
    cudnn = torch.backends.cudnn
    with suppress(RuntimeError):
        allowed: bool = cudnn.allow_tf32
        cudnn.allow_tf32 = False
        restore.append(lambda: setattr(cudnn, "allow_tf32", allowed))
    with suppress(RuntimeError):
        precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        restore.append(lambda: torch.set_float32_matmul_precision(precision))
    return restore
