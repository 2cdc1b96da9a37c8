import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from smpler_model.inference.device_memory import DeviceMemoryError, explain_memory, lacks_engine
from tests.full_memory import ask_for_too_much

SENTENCE = "the network needs more memory than cpu has left; end other programs there, or wait"


def test_out_of_memory_in_pytorch_is_one_sentence() -> None:
    with (
        pytest.raises(DeviceMemoryError) as caught,
        explain_memory("the network", torch.device("cpu"), "wait"),
    ):
        ask_for_too_much()
    assert str(caught.value) == SENTENCE


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory"),  # if not even the driver has enough
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_out_of_memory_on_a_gpu_is_one_sentence(error: RuntimeError) -> None:
    with (
        pytest.raises(DeviceMemoryError, match=r"^the network needs more memory than cuda:0 has"),
        explain_memory("the network", torch.device("cuda:0"), "wait"),
    ):
        raise error


def test_out_of_memory_in_onnx_runtime_is_one_sentence() -> None:
    zeros = helper.make_node("ConstantOfShape", ["shape"], ["zeros"])
    shape = helper.make_tensor_value_info("shape", TensorProto.INT64, [1])
    answer = helper.make_tensor_value_info("zeros", TensorProto.FLOAT, None)
    graph = helper.make_graph([zeros], "zeros", [shape], [answer])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    with (
        pytest.raises(DeviceMemoryError) as caught,
        explain_memory("the network", "cpu", "wait"),
    ):
        session.run(None, {"shape": np.array([1 << 46])})
    assert str(caught.value) == SENTENCE


def run_out_in_a_capture() -> None:
    try:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    finally:
        raise RuntimeError("CUDA error: operation failed due to a previous error")


def test_out_of_memory_behind_another_error_is_one_sentence() -> None:
    with (
        pytest.raises(DeviceMemoryError, match=r"^the network needs more memory than cuda:0 has"),
        explain_memory("the network", "cuda:0", "wait"),
    ):
        run_out_in_a_capture()


def test_a_kernel_that_is_missing_is_not_called_memory() -> None:
    with (
        pytest.raises(RuntimeError, match="engine") as caught,
        explain_memory("the network", "cuda:0", "wait"),
    ):
        raise RuntimeError("GET was unable to find an engine to execute this computation")
    assert lacks_engine(caught.value)
    assert not lacks_engine(RuntimeError("shapes do not fit"))


def test_other_errors_are_unchanged() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explain_memory("the network", "cpu", "wait"):
        raise RuntimeError("shapes do not fit")
