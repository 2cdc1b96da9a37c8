"""Out-of-memory errors as one sentence. Imports no PyTorch, so that every program can catch it."""

from collections.abc import Iterator
from contextlib import contextmanager

_SIGNS = (
    "out of memory",
    "can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "Failed to allocate memory",
    "bad_alloc",
)
"""Parts of the messages with which PyTorch (GPU, CPU, cuBLAS, cuDNN), ONNX Runtime and C++ report
too little memory; their errors have no common class.
"""


class DeviceMemoryError(MemoryError):
    """A device has too little memory left; the message says what to do."""


@contextmanager
def explain_memory(what: str, device: object, remedy: str) -> Iterator[None]:
    """Turn out-of-memory errors of PyTorch and other backends into one sentence.

    Args:
        what: what needs the memory.
        device: the device whose memory it is.
        remedy: what to do besides ending other programs.

    Raises:
        DeviceMemoryError: in place of those errors.
    """
    try:
        yield
    except Exception as error:
        if not any(sign in str(error) for sign in _SIGNS):
            raise
        raise DeviceMemoryError(
            f"{what} needs more memory than {device} has left; end other programs there, or "
            f"{remedy}"
        ) from error
