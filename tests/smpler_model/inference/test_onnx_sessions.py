import os
import resource

import numpy as np
import onnxruntime
import pytest
import torch

from smpler_model.inference.export import onnx_bytes
from smpler_model.inference.onnx_sessions import session_options


@pytest.mark.parametrize("threads", [0, 2])
def test_the_number_of_threads_is_taken_over(threads: int) -> None:
    assert session_options(onnxruntime, threads).intra_op_num_threads == threads


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_threads_that_wait_do_not_compute() -> None:
    """Two threads take little more of the cores than one, as only one has work at a time."""
    costs = {threads: cost_s(threads) for threads in (1, 2)}
    assert costs[2] < 1.25 * costs[1]


def cost_s(threads: int) -> float:
    """Return the least processor time of a chain of layers that are too small to share."""
    layers = [torch.nn.Conv2d(8, 8, 3, padding=1) for _ in range(60)]
    network = torch.nn.Sequential(*layers).eval()
    image = torch.zeros(1, 8, 24, 24)
    content = onnx_bytes(network, {"image": image}, ("answer",), {})
    session = onnxruntime.InferenceSession(
        content, session_options(onnxruntime, threads), providers=["CPUExecutionProvider"]
    )
    pixels = image.numpy().astype(np.float32)
    times = []
    for _ in range(15):
        before = _processor_s()
        for _ in range(20):
            session.run(None, {"image": pixels})
        times.append(_processor_s() - before)
    return min(times)


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
