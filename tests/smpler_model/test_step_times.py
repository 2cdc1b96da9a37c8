import time

import pytest

from smpler_model.step_times import StepTimes, measure


def test_means_are_over_the_frames() -> None:
    times = StepTimes()
    for milliseconds in (10.0, 30.0):
        times.add({"detect": milliseconds, "track": 1.0})
        times.frames += 1
    assert times.means_ms() == {"detect": 20.0, "track": 1.0}
    lines = times.table().splitlines()
    assert [line.split()[0] for line in lines] == ["detect", "track", "together"]
    assert "21.00 ms" in lines[-1]
    assert "47.6 frames/s" in lines[-1]


def test_a_step_that_comes_again_adds_to_its_time() -> None:
    timings_ms = {"detect": 1000.0}
    for _ in range(2):
        with measure(timings_ms, "detect"):
            time.sleep(0.002)
    assert 1004 <= timings_ms["detect"] < 2000


def test_a_step_that_fails_is_measured_too() -> None:
    times = StepTimes()

    def fail() -> None:
        with times.measure("read"):
            time.sleep(0.002)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    times.frames = 1
    assert times.means_ms()["read"] > 1


def test_without_frames_there_is_a_table_still() -> None:
    assert "0.00 ms" in StepTimes().table()
