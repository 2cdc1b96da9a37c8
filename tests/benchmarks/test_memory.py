"""The readings are taken where they are said to be, and frames leave nothing behind."""

import pytest

from benchmarks.memory import measure_memory
from benchmarks.pipeline import render_frames
from smpler_model.inference.estimator import Estimator
from smpler_model.network.smpler import Smpler

pytestmark = pytest.mark.slow


def test_frames_leave_no_objects_behind(nano: Smpler) -> None:
    held = measure_memory(Estimator(nano), render_frames(2, 6), 60, 6)
    assert [each.frames for each in held] == [10, 20, 30, 40, 50, 60]
    # What is kept of each person is bounded; a frame makes thousands of blocks.
    assert held[-1].python_blocks - held[1].python_blocks < 400
    assert held[-1].resident_mib > 0
