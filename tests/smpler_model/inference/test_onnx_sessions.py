import onnxruntime
import pytest

from smpler_model.inference.onnx_sessions import session_options

_SPINNING = "session.intra_op.allow_spinning"


@pytest.mark.parametrize("threads", [0, 2])
def test_the_number_of_threads_is_taken_over(threads: int) -> None:
    assert session_options(onnxruntime, threads).intra_op_num_threads == threads


def test_threads_that_wait_spin_only_if_asked_to() -> None:
    assert session_options(onnxruntime, 2).get_session_config_entry(_SPINNING) == "0"
    options = session_options(onnxruntime, 2, spin=True)
    assert options.get_session_config_entry(_SPINNING) == "1"
