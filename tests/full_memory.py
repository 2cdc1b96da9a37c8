"""A device whose memory runs out: what is asked for is more than any machine has."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from smpler_model.inference.runners import TorchRunner
from tests.after_self_check import break_after_self_check

SENTENCE = (
    "the network needs more memory than cpu has left; end other programs there, or choose a "
    "smaller model"
)


def ask_for_too_much() -> None:
    """Ask PyTorch for a million gigabytes."""
    torch.empty(1 << 50, dtype=torch.uint8)


def run_out_after(patch: pytest.MonkeyPatch, batches: int) -> None:
    """Let the backends `plain` and `eager` run out of memory after a number of frames' batches."""
    run, calls = TorchRunner.run, itertools.count()

    def run_while_there_is_memory(
        self: TorchRunner, crops: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        if next(calls) >= batches:
            ask_for_too_much()
        return run(self, crops)

    break_after_self_check(
        patch, lambda: patch.setattr(TorchRunner, "run", run_while_there_is_memory)
    )
