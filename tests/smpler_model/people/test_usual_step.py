"""What counts as the usual step between images, and what as a gap."""

import numpy as np
import pytest

from smpler_model.people.usual_step import UsualStep

MS = 1_000_000
LEAST_S = 0.5


def steps_of(*stamps_ms: int) -> UsualStep:
    """Return the step after images with these timestamps."""
    step = UsualStep()
    for stamp_ms in stamps_ms:
        step.add(stamp_ms * MS)
    return step


def test_the_usual_step_is_the_median() -> None:
    assert steps_of().median_ns == steps_of(7).median_ns == 0
    assert steps_of(0, 40, 80, 1000, 1040).median_ns == 40 * MS
    assert steps_of(0, 40, 100).median_ns == 50 * MS


def test_old_steps_are_forgotten() -> None:
    seconds = [1000 * number for number in range(16)]
    assert steps_of(*range(0, 400, 40), *(1000 + each for each in seconds)).median_ns == 1000 * MS


def test_a_repeated_stamp_counts_once_and_time_that_runs_back_begins_anew() -> None:
    assert steps_of(0, 40, 40, 40, 80).median_ns == 40 * MS
    assert steps_of(1000, 2000, 0, 40).median_ns == 40 * MS


@pytest.mark.parametrize(("step_ms", "gap_s"), [(33, LEAST_S), (600, 2.1), (2000, 7.0)])
def test_a_gap_is_longer_than_some_steps(step_ms: int, gap_s: float) -> None:
    step = steps_of(0, step_ms)
    assert step.find_gap(2 * step_ms * MS, LEAST_S) == pytest.approx(gap_s)
    assert step.median_ns == step_ms * MS


def test_the_first_long_step_is_a_gap_and_more_of_them_are_a_low_rate() -> None:
    step = UsualStep()
    assert [step.find_gap(second * 1000 * MS, LEAST_S) for second in range(3)] == [
        *(LEAST_S, LEAST_S),
        pytest.approx(3.5),
    ]


def test_a_restored_step_continues_alike() -> None:
    step, other = steps_of(*range(0, 9000, 900)), steps_of(5, 6, 7)
    other.restore(step.snapshot())
    assert other.median_ns == 900 * MS
    step.add(9100 * MS)
    other.add(9100 * MS)
    np.testing.assert_array_equal(other.snapshot()["images_ns"], step.snapshot()["images_ns"])
    other.reset()
    assert len(other.snapshot()["images_ns"]) == 0
