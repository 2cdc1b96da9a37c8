"""Too little memory, as a sentence. Needs no PyTorch, so that every program can name the error."""

from collections.abc import Iterator
from contextlib import contextmanager

_SIGNS = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What PyTorch's errors say of a GPU's memory, the CPU's and cuBLAS's; they share no class."""


class DeviceMemoryError(MemoryError):
    """A device has too little memory left; the message says what to do."""


@contextmanager
def explain_memory(what: str, device: object, remedy: str) -> Iterator[None]:
    """Turn PyTorch's errors about memory into a sentence.

    Args:
        what: needs the memory.
        device: whose memory it is.
        remedy: what else to do than to end other programs.

    Raises:
        DeviceMemoryError: instead of PyTorch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _SIGNS):
            raise
        raise DeviceMemoryError(
            f"{what} needs more memory than {device} has left; end other programs there, or "
            f"{remedy}"
        ) from error
