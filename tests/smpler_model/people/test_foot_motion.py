import numpy as np
import pytest

from smpler_model.people.foot_motion import FootMotion

S = 10**9
IDS = np.array([7], np.int64)


def walk(
    motion: FootMotion, steps: int, speed_m_s: float, start: int = 0, rate_hz: float = 30.0
) -> np.ndarray:
    """Move the left foot along x; the right one stands. Return the last speeds (1, 2)."""
    found = np.empty((1, 2))
    for step in range(start, start + steps):
        time_s = step / rate_hz
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


@pytest.mark.parametrize("rate_hz", [0.5, 1.0, 1.9])
def test_speeds_are_known_at_low_rates_too(rate_hz: float) -> None:
    motion = FootMotion()
    assert walk(motion, 8, 0.4, rate_hz=rate_hz)[0] == pytest.approx([0.4, 0], abs=0.02)
    assert np.isfinite(walk(motion, 1, 0.4, start=10, rate_hz=rate_hz)).all()
    assert np.isnan(walk(motion, 1, 0.4, start=15, rate_hz=rate_hz)).all()


@pytest.mark.parametrize("rate_hz", [30.0, 1.0])
def test_a_snapshot_goes_on(rate_hz: float) -> None:
    motion, other = FootMotion(), FootMotion()
    walk(motion, 5, 1.0, rate_hz=rate_hz)
    other.restore(motion.snapshot())
    expected = walk(motion, 1, 1.0, 5, rate_hz)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(walk(other, 1, 1.0, 5, rate_hz), expected)
    other.restore(FootMotion().snapshot())
    assert np.isnan(walk(other, 1, 1.0, 8)).all()
