"""Options that all sessions of ONNX Runtime share."""

from types import ModuleType
from typing import Any

_SPINNING = "session.intra_op.allow_spinning"


def session_options(onnxruntime: ModuleType, threads: int) -> Any:  # noqa: ANN401 - without types
    """Return options whose threads sleep while they wait.

    By default they wait in a loop for a while. With few cores that keeps them from other threads:
    of the other network, of the images' decoding, of ROS.

    Args:
        onnxruntime: the package.
        threads: threads of an operator; 0 leaves the number to ONNX Runtime.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry(_SPINNING, "0")
    return options
