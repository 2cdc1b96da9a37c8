import numpy as np
import pytest

from smpler_model.people.foot_motion import FootMotion

S = 10**9
IDS = np.array([7], np.int64)


def walk(motion: FootMotion, steps: int, speed_m_s: float, start: int = 0) -> np.ndarray:
    """Move the left foot along x at 30 Hz; the right one stands. Return the last speeds (1, 2)."""
    found = np.empty((1, 2))
    for step in range(start, start + steps):
        time_s = step / 30
        feet = np.array([[[speed_m_s * time_s, 0, 0], [0, 0.2, 0]]])
        found = motion.speeds(round(time_s * S), IDS, feet)
    return found


def test_a_foot_that_moves_and_one_that_stands() -> None:
    assert walk(FootMotion(), 60, 1.5)[0] == pytest.approx([1.5, 0], abs=0.02)


def test_who_is_new_or_was_away_has_no_speed() -> None:
    motion = FootMotion()
    assert np.isnan(walk(motion, 1, 1.0)).all()
    assert np.isfinite(walk(motion, 1, 1.0, start=1)).all()
    assert np.isnan(walk(motion, 1, 1.0, start=40)).all()
    motion.reset()
    assert np.isnan(walk(motion, 1, 1.0, start=41)).all()


def test_a_snapshot_goes_on() -> None:
    motion, other = FootMotion(), FootMotion()
    walk(motion, 5, 1.0)
    other.restore(motion.snapshot())
    np.testing.assert_array_equal(walk(motion, 3, 1.0, 5), walk(other, 3, 1.0, 5))
    other.restore(FootMotion().snapshot())
    assert np.isnan(walk(other, 1, 1.0, 8)).all()
