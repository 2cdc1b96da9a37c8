"""Too little memory, as a sentence. Needs no PyTorch, so that every program can name the error."""

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
"""What PyTorch says of the memory of a GPU, of the CPU, of cuBLAS and of cuDNN, and what ONNX
Runtime's and C++'s say; they share no class."""


class DeviceMemoryError(MemoryError):
    """A device has too little memory left; the message states what to do."""


@contextmanager
def explain_memory(what: str, device: object, remedy: str) -> Iterator[None]:
    """Turn the errors of PyTorch and of other back ends about memory into a sentence.

    Args:
        what: needs the memory.
        device: whose memory it is.
        remedy: what else to do than to end other programs.

    Raises:
        DeviceMemoryError: instead of theirs.
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
