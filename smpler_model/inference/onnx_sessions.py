"""Options that all sessions of ONNX Runtime share."""

from types import ModuleType
from typing import Any

_SPINNING = "session.intra_op.allow_spinning"


def session_options(onnxruntime: ModuleType, threads: int, *, spin: bool = False) -> Any:  # noqa: ANN401 - without types
    """Return options whose threads sleep while they wait, or spin.

    Threads that spin wait in a loop for a while. Where layers are too small to share, that costs
    as much again, and keeps other threads from the cores: of the other network, of the images'
    decoding, of ROS. Where all threads are busy it costs little, and saves waking them up.

    Args:
        onnxruntime: the package.
        threads: threads of an operator; 0 leaves the number to ONNX Runtime.
        spin: whether threads spin.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry(_SPINNING, str(int(spin)))
    return options
