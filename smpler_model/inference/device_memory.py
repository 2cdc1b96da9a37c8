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

_NO_ENGINE = "unable to find an engine"


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
        if not _says(error, *_SIGNS):
            raise
        raise DeviceMemoryError(
            f"{what} needs more memory than {device} has left; end other programs there, or "
            f"{remedy}"
        ) from error


def lacks_engine(error: BaseException) -> bool:
    """Return whether cuDNN found no kernel: there may be one for a smaller batch.

    It says so, too, where all of its kernels need more memory than is left.
    """
    return _says(error, _NO_ENGINE)


def _says(error: BaseException, *signs: str) -> bool:
    """Return whether an error, or one that it followed, has any of these words.

    Memory that runs out while a graph is captured is followed by an error of the capture's end.
    """
    followed: BaseException | None = error
    while followed is not None:
        if any(sign in str(followed) for sign in signs):
            return True
        followed = followed.__cause__ or followed.__context__
    return False
